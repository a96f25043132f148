"""Each sickness is made on purpose; the doctor names it, says the mend, and goes on with the rest."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.signals import post_save
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import get_resolver
from django.utils import timezone, translation
from oscar.apps.checkout.views import PaymentDetailsView
from oscar.apps.order.signals import order_placed, order_status_changed
from oscar.core.loading import get_model
from wagtail.models import Site

from example_site import urls as example_urls
from oscar_integration.shop import OscarShop
from tests.doctor.patient import command, examine
from wagtail_referrals import insights
from wagtail_referrals.credit import triggers
from wagtail_referrals.doctor import Verdict
from wagtail_referrals.insights.models import FiguredDay
from wagtail_referrals.people.models import Code
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals import backfill
from wagtail_referrals.rewards.models import SweepRun
from wagtail_referrals.site.settings import ReferralSettings

pytestmark = pytest.mark.django_db

LOOK = Verdict.LOOK
# As far as some sicknesses show.
GROUND = ("ground", "sweep")
LINK = ("programs", "link")


def middleware(answer: Any) -> Any:
    """A middleware of the shop's that answers, or returns None to let the request through."""

    def factory(get_response: Any) -> Any:
        def handle(request: Any) -> Any:
            return answer(request) or get_response(request)

        return handle

    return factory


closed = middleware(lambda request: HttpResponse("We are closed.", status=503))
walled = middleware(
    lambda request: (
        None
        if request.user.is_authenticated or "/login/" in request.path
        else HttpResponseRedirect("/en/accounts/login/")
    )
)


def thief(get_response: Any) -> Any:
    def handle(request: Any) -> Any:
        response = get_response(request)
        response.cookies.pop("referral", None)
        return response

    return handle


def with_middleware(settings: Any, name: str) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.{name}"]


def with_templates(settings: Any, templates: dict[str, str], *, ours: bool = True) -> None:
    """Templates before the shop's own; ``ours``: with those in which it shows our tags."""
    setting = {**settings.TEMPLATES[0], "OPTIONS": {**settings.TEMPLATES[0]["OPTIONS"]}}
    setting.pop("APP_DIRS")
    setting["DIRS"] = [
        folder for folder in setting["DIRS"] if ours or "templates_referrals" not in str(folder)
    ]
    setting["OPTIONS"]["loaders"] = [
        ("django.template.loaders.locmem.Loader", templates),
        "django.template.loaders.filesystem.Loader",
        "django.template.loaders.app_directories.Loader",
    ]
    settings.TEMPLATES = [setting]


# Health


def test_a_healthy_shop(healthy):
    record = examine()
    assert record.broken == []
    assert record.of(Verdict.NOT_TRIED) == []
    # Tests have no mail that goes anywhere, no French text, and no page of the shop's at "/".
    assert {words.split(":")[0].split(" does")[0] for words in record.of(LOOK)} == {
        "Mails go nowhere",
        "shop.example.com",
        "The home page",
    }
    for words in (
        "the share link shows the friend's page",
        "the cookie is kept, and known on the next page",
        "The friend's discount is in the basket",
        "The preview says what credit pays",
        "The order belongs to the invitation",
        "Half of it is paid with credit",
        "“Shipped” counts as paid and shipped; the reward is given after 14 days",
        "“Refunded” counts as refunded; the reward is taken back",
        "“Cancelled” counts as cancelled; there is no reward",
    ):
        assert record.says(words, Verdict.FINE)


def test_the_command_reads_like_a_doctor(healthy):
    text, code = command()
    assert code == 0
    assert text.startswith("The referral program, examined on ")
    assert "The share link and its cookie\n  fine " in text
    assert "It works. 4 things to look at." in text
    assert "Mend: Write the program's texts" in text
    assert max(map(len, text.splitlines())) <= 115
    assert "@" not in text.replace("@ ", ""), "no address of anybody"
    assert not [code for code in Code.objects.values_list("text", flat=True) if code in text]


def test_it_asks_no_payment(healthy, monkeypatch):
    from example_site.checkout import views

    def charge(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("something was charged")

    monkeypatch.setattr(views.PaymentDetailsView, "handle_payment", charge)
    assert examine().broken == []


# What it stands on


def test_the_sweep_never_ran(healthy):
    SweepRun.objects.all().delete()
    assert examine(GROUND).says("The sweep has never run")
    assert command()[1] == 1


@pytest.mark.parametrize(("hours", "verdict"), [(0.5, Verdict.FINE), (3, LOOK), (30, Verdict.BROKEN)])
def test_the_sweep_ran_long_ago(healthy, hours, verdict):
    then = timezone.now() - timedelta(hours=hours)
    SweepRun.objects.update(started_at=then, finished_at=then, failed=2)
    record = examine(GROUND)
    assert record.says("The sweep ran", verdict)
    assert record.says("2 things failed in it", LOOK)


def test_reports_count_years_anew_each_time(healthy):
    day = timezone.localdate()
    FiguredDay.objects.create(day=day - timedelta(days=70), figured_at=timezone.now())
    assert examine(GROUND).says("Reports count", LOOK)
    insights.refresh_days()
    assert not [finding for _key, finding in examine(GROUND).findings if "Reports count" in finding.words]


def test_the_ledger_has_lost_a_trigger(healthy):
    with connection.cursor() as cursor:
        table = "" if connection.vendor == "sqlite" else f" ON {triggers._table()}"
        cursor.execute(f"DROP TRIGGER {triggers.DELETE}{table}")
    assert examine(GROUND).says("Entries of the ledger could be changed or deleted")


def test_no_sender(healthy, settings):
    settings.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    assert examine(GROUND).says("Mails about rewards come from webmaster@localhost", LOOK)
    ours = ReferralSettings.objects.create(
        site=Site.objects.get(is_default_site=True), sender_name="Anna of the shop"
    )
    assert examine(GROUND).says("Mails about rewards come from Anna of the shop <webmaster@localhost>", LOOK)
    ours.sender_email = "anna@shop.example"
    ours.save()
    assert not any("come from" in finding.words for finding in examine(GROUND).part("ground"))


def test_a_system_check_complains(healthy, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"CREDIT": True}
    assert examine(GROUND).says('has no setting "CREDIT"')


def test_old_customers_are_not_written_down(healthy):
    get_user_model().objects.bulk_create(
        [get_user_model()(username=name, email=f"{name}@example.com") for name in ("ada", "tom")]
    )
    record = examine(("port",))
    assert record.says("The addresses of 2 accounts are not written down yet", LOOK)
    assert "referrals_backfill" in record.about("2 accounts").mend
    backfill()
    assert examine(("port",)).says("All accounts and guest orders are known", Verdict.FINE)


# The link and the cookie


def test_the_middleware_is_missing(healthy, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "ReferralMiddleware" not in name]
    record = examine()
    assert record.says("on the next page nobody reads the cookie")
    assert record.of(Verdict.NOT_TRIED), "what comes after it could not be tried"


def test_the_cookie_is_for_another_domain(healthy, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "COOKIE_DOMAIN": ".another.example.com"}
    record = examine(LINK)
    assert record.says("a browser throws our cookie away: it is for another.example.com")
    assert "COOKIE_DOMAIN" in record.about("throws our cookie away").mend


def test_the_cookie_of_a_parent_domain_is_kept(healthy, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "COOKIE_DOMAIN": "example.com"}
    assert examine(LINK).broken == []


def test_a_middleware_takes_the_cookie(healthy, settings):
    with_middleware(settings, "thief")
    assert examine(LINK).says("the answer comes without our cookie")


def test_the_shop_is_closed_for_maintenance(healthy, settings):
    with_middleware(settings, "closed")
    assert examine(LINK).says(f"{__name__}.closed answers before the share link is reached, with 503")


def test_a_login_stands_before_the_shop(healthy, settings):
    with_middleware(settings, "walled")
    record = examine(LINK)
    assert record.says("a login stands before the share link")
    assert f"{__name__}.walled" in record.about("a login stands").mend


def test_the_host_is_not_allowed(healthy, settings):
    settings.ALLOWED_HOSTS = ["www.example.com"]
    record = examine(LINK)
    assert record.says("shop.example.com is a site of Wagtail's, and Django refuses it")
    assert record.says("www.example.com: the cookie is kept", Verdict.FINE)


def test_everything_goes_to_https(healthy, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SESSION_COOKIE_SECURE = True
    assert examine().broken == []


def test_the_session_is_for_another_domain(healthy, settings):
    settings.SESSION_COOKIE_DOMAIN = "another.example.com"
    record = examine(("programs", "link", "pages"))
    assert record.says("asks for a login, again and again")
    assert "SESSION_COOKIE_DOMAIN" in record.about("again and again").mend


def test_wagtails_site_is_still_called_localhost(healthy, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    Site.objects.update(hostname="localhost")
    assert examine(LINK).says("Wagtail thinks that this shop is at localhost", LOOK)


urlpatterns = [
    pattern
    for pattern in example_urls.urlpatterns
    if getattr(getattr(pattern, "urlconf_module", None), "__name__", "") != "wagtail_referrals.urls"
]


def test_our_addresses_are_missing(healthy, settings):
    settings.ROOT_URLCONF = __name__
    # The shop's own templates link to a page that is not there, too.
    with_templates(settings, {}, ours=False)
    record = examine()
    assert record.says("Share links lead nowhere")
    assert 'include("wagtail_referrals.urls")' in record.about("Share links lead nowhere").mend


def test_a_visitor_who_must_agree_first(healthy, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CONSENT": f"{__name__}.nobody_agrees"}
    record = examine()
    assert record.broken == []
    assert record.says("no cookie before the visitor agrees", Verdict.FINE)


def nobody_agrees(request: Any) -> bool:
    return False


# Pages


def test_the_base_template_shows_nothing_of_us(healthy, settings):
    with_templates(settings, {}, ours=False)
    record = examine()
    assert record.broken == [], "a shop may show nothing"
    assert record.says("A product's page does not show a friend the invitation", LOOK)
    assert "referral_banner" in record.about("A product's page does not show").mend


# Programs


def test_no_program(healthy):
    Program.objects.update(live=False)
    record = examine()
    assert record.broken == []
    assert record.says("shop.example.com: friends are offered nothing", LOOK)
    assert record.about("friends are offered nothing").mend == (
        "1 draft waits: publish it in Wagtail, under Programs."
    )
    assert record.says("The friend's discount is in the basket", Verdict.FINE)


# The shop


def test_the_shop_does_not_answer(healthy, monkeypatch):
    def facts(self: Any, references: Any) -> Any:
        raise RuntimeError("secret of ada@example.com")

    monkeypatch.setattr(OscarShop, "facts", facts)
    record = examine()
    finding = record.part("port")[0]
    assert finding.verdict == Verdict.BROKEN
    assert (
        finding.words
        == f"The shop does not answer facts(): RuntimeError in {__name__}, line {line_of(facts)}."
    )
    assert "ada" not in command()[0]
    assert record.part("oscar_checkout"), "the others were examined all the same"


def line_of(function: Any) -> int:
    """Of the first statement."""
    return int(function.__code__.co_firstlineno) + 1


def test_nothing_to_sell(healthy):
    get_model("partner", "StockRecord").objects.all().delete()
    record = examine()
    assert record.says("No product can be bought now", LOOK)
    assert len(record.of(Verdict.NOT_TRIED)) == 3


def test_accounts_cannot_be_made(healthy):
    def refuse(sender: Any, instance: Any, **kwargs: Any) -> None:
        raise ValueError("no customer number")

    post_save.connect(refuse, sender=get_user_model())
    try:
        record = examine()
    finally:
        post_save.disconnect(refuse, sender=get_user_model())
    assert record.says("No account could be made to try with: ValueError in")


def test_a_receiver_of_the_order_raises(healthy):
    def fail(sender: Any, order: Any, **kwargs: Any) -> None:
        raise KeyError(order.user.email)

    receivers = order_placed.receivers
    order_placed.connect(fail)
    # Before ours, as an app of the shop's that comes earlier.
    order_placed.receivers = [order_placed.receivers[-1], *receivers[:-1]]
    order_placed.sender_receivers_cache.clear()
    try:
        record = examine()
    finally:
        order_placed.receivers = receivers
        order_placed.disconnect(fail)
    assert record.says(
        f"a receiver of order_placed fails: the customer sees an error: KeyError in {__name__}"
    )
    assert record.says("The order belongs to the invitation", Verdict.FINE)


def test_a_receiver_calls_another_machine(healthy):
    import socket

    def call(sender: Any, order: Any, **kwargs: Any) -> None:
        socket.create_connection(("127.0.0.1", 9))

    order_placed.connect(call)
    try:
        record = examine()
    finally:
        order_placed.disconnect(call)
    assert record.broken == [], "on the server that call may well work"
    assert record.says("the shop wanted to call another machine", LOOK)


def test_a_status_cannot_be_reached(healthy):
    def fail(sender: Any, order: Any, new_status: str, **kwargs: Any) -> None:
        if new_status == "Shipped":
            raise ValueError

    order_status_changed.connect(fail)
    try:
        record = examine()
    finally:
        order_status_changed.disconnect(fail)
    assert record.says("The order cannot become “Shipped”: ValueError in")
    assert record.says("“Paid” counts as paid", Verdict.FINE)


def test_what_our_receivers_swallow_is_said(healthy, monkeypatch):
    from oscar_integration import receivers

    def attribute(*args: Any, **kwargs: Any) -> None:
        raise LookupError

    monkeypatch.setattr(receivers, "attribute", attribute)
    record = examine()
    assert record.says("The page goes on, and the referral is lost: LookupError in")
    assert record.says("The order is nobody's")


# The checkout


def test_a_payment_page_that_hides_our_block(healthy, settings):
    with_templates(
        settings,
        {
            "oscar/checkout/payment_details.html": "<h1>Pay</h1>",
            "oscar/checkout/preview.html": "<h1>Check</h1>{% block place_order %}{% endblock %}",
        },
    )
    record = examine()
    assert record.says("The payment step is drawn, and does not offer to use credit")
    assert "referral_credit_form" in record.about("does not offer to use credit").mend


def test_a_checkout_that_was_frozen(healthy, monkeypatch):
    for pattern in patterns_named("payment-details", "preview"):
        view = PaymentDetailsView.as_view(preview=pattern.name == "preview")
        monkeypatch.setattr(pattern, "callback", view)
    record = examine()
    assert record.says("as they were before all apps were ready: customers")
    assert record.says("The checkout's addresses lead to a view without credit")


def patterns_named(*names: str) -> list[Any]:
    found, left = [], list(get_resolver().url_patterns)
    while left:
        pattern = left.pop()
        left += getattr(pattern, "url_patterns", [])
        # An image has a preview too.
        if getattr(pattern, "name", None) in names and "<" not in str(pattern.pattern):
            found.append(pattern)
    assert len(found) == len(names)
    return found


def test_credit_is_switched_off(healthy, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"CREDIT_AT_CHECKOUT": False}
    record = examine()
    assert record.broken == []
    assert record.says("Paying with credit is switched off", Verdict.OFF)
    assert record.says("The order belongs to the invitation", Verdict.FINE)


def test_vouchers_are_switched_off(healthy, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    record = examine()
    assert record.broken == []
    assert record.says("Discounts and gifts are switched off", Verdict.OFF)


def test_the_payment_step_crashes(healthy, monkeypatch):
    def fail(self: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(PaymentDetailsView, "get_context_data", fail)
    assert examine().says(f"The payment step fails: ZeroDivisionError in {__name__}")


def test_what_the_shops_middleware_puts_on_a_request_is_there(healthy, settings, monkeypatch):
    """As in a shop whose checkout asks which of its addresses the customer came by."""
    from example_site.checkout import views

    real = views.PaymentDetailsView.build_submission

    def build_submission(self: Any, **kwargs: Any) -> Any:
        assert self.request.storefront == "Nantes"
        return real(self, **kwargs)

    monkeypatch.setattr(views.PaymentDetailsView, "build_submission", build_submission)
    with_middleware(settings, "storefront")
    assert examine().broken == []


def storefront(get_response: Any) -> Any:
    def handle(request: Any) -> Any:
        request.storefront = "Nantes"
        return get_response(request)

    return handle


# Statuses


def test_statuses_that_no_order_has(healthy, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"PAID_STATUSES": ["Payé"], "SHIPPED_STATUSES": ["Envoyé"]}
    record = examine()
    assert record.says("No status counts as paid")
    assert record.says("No status counts as shipped")
    assert "PAID_STATUSES" in record.about("No status counts as paid").mend


def test_an_end_that_counts_as_nothing(healthy, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"CANCELLED_STATUSES": [], "REFUNDED_STATUSES": ["Refunded"]}
    record = examine()
    assert record.says("“Cancelled” counts as nothing yet", LOOK)
    assert record.says("No status counts as cancelled", LOOK)


def test_no_pipeline(healthy, settings, monkeypatch):
    Order = get_model("order", "Order")
    monkeypatch.setattr(Order, "pipeline", {})
    record = examine()
    assert record.says("No status follows “Pending”", LOOK)
    assert record.says("No status counts as paid")


def test_a_discount_with_a_minimum_is_tried_with_enough_pieces(healthy):
    from tests.oscar_integration.shopping import make_program

    Program.objects.all().delete()
    make_program(
        [
            {
                "side": "friend",
                "trigger": "arrives",
                "kind": "discount_percent",
                "percent": Decimal(10),
                "minimum_spend": {"EUR": "150.00"},
            }
        ]
    )
    record = examine()
    assert record.broken == []
    assert record.says("The friend's discount is in the basket", Verdict.FINE)


def test_it_speaks_french(healthy):
    with translation.override("fr"):
        text, code = command()
        assert translation.get_language() == "fr", "pages in other languages were read meanwhile"
    assert code == 0
    assert max(map(len, text.splitlines())) <= 115
