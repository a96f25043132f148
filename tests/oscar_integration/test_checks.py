"""What a shop on Oscar is told before its customers find out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.urls import include, path
from oscar.apps.basket import views as basket_views
from oscar.apps.checkout import views
from oscar.apps.customer import views as customer_views

from oscar_integration import checks
from oscar_integration.checkout import CreditPaymentMixin, extend
from tests.checks import Mistake, say, urls, with_options
from tests.oscar_integration.test_reading import TheBasketBeside, made_elsewhere

PIPELINE = {"New": ("Paid", "Called off"), "Paid": ("Sent",), "Sent": (), "Called off": ()}
STATUSES = {
    "PAID_STATUSES": ["Paid", "Sent"],
    "SHIPPED_STATUSES": ["Sent"],
    "CANCELLED_STATUSES": ["Called off"],
}
SHOP = {"OSCAR_ORDER_STATUS_PIPELINE": PIPELINE, "OSCAR_INITIAL_ORDER_STATUS": "New"}


def status(check_id: str, words: str, wrong: Any, pipeline: Any = None) -> Mistake:
    """A mistake among the statuses; STATUSES go with SHOP."""
    return Mistake(check_id, words, {**STATUSES, **wrong}, STATUSES, {**SHOP, **(pipeline or {})}, SHOP)


MISTAKES = [
    Mistake(
        "oscar_integration.E003",
        'has no setting "PAYED_STATUSES": what it says is ignored',
        {"PAYED_STATUSES": ["Paid"]},
        {"PAID_STATUSES": ["Paid"]},
    ),
    *(
        Mistake(
            "oscar_integration.E004",
            'MINIMUM_CHARGE["EUR"] = ',
            {"MINIMUM_CHARGE": {"EUR": amount}},
            {"MINIMUM_CHARGE": {"EUR": "0.50"}},
        )
        for amount in ("a little", 0.5, "-1", None, "NaN", "Infinity", True, [])
    ),
    Mistake(
        "oscar_integration.E004",
        "MINIMUM_CHARGE = '0.50' is not an amount",
        {"MINIMUM_CHARGE": "0.50"},
        {"MINIMUM_CHARGE": {"EUR": "0.50"}},
    ),
    Mistake(
        "oscar_integration.W005",
        "MINIMUM_CHARGE names CHF, in which there is no credit",
        {"MINIMUM_CHARGE": {"EUR": "1", "CHF": "1"}},
        {"MINIMUM_CHARGE": {"EUR": "1"}},
    ),
    Mistake(
        "oscar_integration.W006",
        "The shop's currency CHF is not in",
        project={"OSCAR_DEFAULT_CURRENCY": "CHF"},
        mended_project={
            "WAGTAIL_REFERRALS": {"SHOP": "oscar_integration.shop.OscarShop", "CURRENCIES": ["CHF"]},
            "OSCAR_DEFAULT_CURRENCY": "CHF",
        },
    ),
    *(
        Mistake(
            "oscar_integration.E007",
            f"{name} = 'False' is neither True nor False, and counts as True",
            {name: "False"},
            {name: False},
        )
        for name in ("CREDIT_AT_CHECKOUT", "VOUCHERS")
    ),
    # Statuses
    status("oscar_integration.E005", "PAID_STATUSES = 'Paid' is no list of texts", {"PAID_STATUSES": "Paid"}),
    status("oscar_integration.E005", "REFUND_EVENTS = 'refund' is no list", {"REFUND_EVENTS": "refund"}),
    status("oscar_integration.E005", "is no list of texts", {"SHIPPED_STATUSES": None}),
    status("oscar_integration.E005", "is no list of texts", {"SHIPPED_STATUSES": [("Sent",)]}),
    status(
        "oscar_integration.E006",
        'PAID_STATUSES name "Called off" as CANCELLED_STATUSES does: such orders count as cancelled',
        {"PAID_STATUSES": ["Paid", "Sent", "Called off"]},
    ),
    status(
        "oscar_integration.E006",
        'PAID_STATUSES and SHIPPED_STATUSES name "Sent" as REFUNDED_STATUSES does: such orders count as given back',
        {"REFUNDED_STATUSES": ["Sent"]},
    ),
    status(
        "oscar_integration.W007",
        "is empty: Oscar refuses every change",
        {},
        {"OSCAR_ORDER_STATUS_PIPELINE": {}},
    ),
    status(
        "oscar_integration.W008",
        "PAID_STATUSES names statuses that no order can have: Payed.",
        {"PAID_STATUSES": ["Paid", "Payed"]},
    ),
    status(
        "oscar_integration.W008",
        "CANCELLED_STATUSES names statuses that no order can have: Canceled. Cancelled orders keep their rewards",
        {"CANCELLED_STATUSES": ["Canceled"]},
    ),
    Mistake(
        "oscar_integration.W008",
        "SHIPPED_STATUSES names statuses that no order can have: Complete, Shipped.",
        {"PAID_STATUSES": ["Paid"], "CANCELLED_STATUSES": []},
        {"PAID_STATUSES": ["Paid"], "CANCELLED_STATUSES": [], "SHIPPED_STATUSES": ["Sent"]},
        SHOP,
        SHOP,
    ),
    status(
        "oscar_integration.W010",
        "OSCAR_INITIAL_ORDER_STATUS = 'new' is not in OSCAR_ORDER_STATUS_PIPELINE",
        {},
        {"OSCAR_INITIAL_ORDER_STATUS": "new"},
    ),
    Mistake(
        "oscar_integration.W011",
        "No status means cancelled, as CANCELLED_STATUSES is not set and no order can be Cancelled",
        {"PAID_STATUSES": ["Paid"], "SHIPPED_STATUSES": ["Sent"]},
        {"PAID_STATUSES": ["Paid"], "SHIPPED_STATUSES": ["Sent"], "CANCELLED_STATUSES": []},
        SHOP,
        SHOP,
    ),
]


def look() -> list[Any]:
    return [message for check in checks.CHECKS for message in check()]


def put(settings: Any, given: Any, project: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = given
    for name, value in project.items():
        setattr(settings, name, value)


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_said_and_its_mend_silences_it(mistake: Mistake, settings: Any) -> None:
    put(settings, mistake.wrong, mistake.project)
    found = look()
    assert say(found) == [mistake.id]
    assert mistake.words in found[0].msg
    put(settings, mistake.mended, mistake.mended_project)
    assert say(look()) == []


@pytest.mark.parametrize(
    ("given", "project"),
    [
        ({}, {}),
        ({"MINIMUM_CHARGE": {"EUR": 1}}, {}),
        (
            {"PAID_STATUSES": {"Paid"}, "SHIPPED_STATUSES": frozenset({"Sent"}), "CANCELLED_STATUSES": ()},
            SHOP,
        ),
        (STATUSES, {**SHOP, "OSCAR_ORDER_STATUS_PIPELINE": {"New": ("Paid", "Called off"), "Paid": "Sent"}}),
        # A guest of the defaults that fits is enough.
        (
            {},
            {
                "OSCAR_ORDER_STATUS_PIPELINE": {"New": ("Paid", "Cancelled"), "Paid": ("Shipped",)},
                "OSCAR_INITIAL_ORDER_STATUS": "New",
            },
        ),
        # One status may say two things that are both true.
        ({**STATUSES, "REFUNDED_STATUSES": ["Called off"]}, SHOP),
    ],
)
def test_what_is_right_is_not_said(given: Any, project: Any, settings: Any) -> None:
    put(settings, given, project)
    assert say(look()) == []


# The order of the apps


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (["basket"], "Oscar's basket in INSTALLED_APPS: a friend's code is refused in the basket"),
        (["checkout", "customer"], "Oscar's checkout and customer in INSTALLED_APPS: customers cannot pay"),
    ],
)
def test_an_app_that_comes_too_early_is_said(
    late: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = sorted(
        apps.get_app_configs(), key=lambda each: (each.label in late) + (each.label != "oscar_integration")
    )
    configs.sort(key=lambda each: 2 if each.label in late else 1 if each.label == "oscar_integration" else 0)
    monkeypatch.setattr(apps, "get_app_configs", lambda: configs)
    (found,) = checks.check_app_order()
    assert say([found]) == ["oscar_integration.E001"]
    assert words in found.msg
    monkeypatch.undo()
    assert checks.check_app_order() == []


# The payment view


@pytest.fixture
def payment_view(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a view into the checkout, as a fork does; extended as our app extends it, where asked for."""

    def put(view: type, *, extended: bool = False) -> type:
        view = extend(view, CreditPaymentMixin) if extended else view
        monkeypatch.setattr(apps.get_app_config("checkout"), "payment_details_view", view)
        return view

    return put


def test_a_view_that_would_charge_twice_is_said_and_the_mixin_by_hand_silences_it(payment_view: Any) -> None:
    payment_view(TheBasketBeside)
    (found,) = checks.check_payment_view()
    assert say([found]) == ["oscar_integration.W002"]
    assert "TheBasketBeside.handle_payment() uses self.request.basket.total_incl_tax" in found.msg
    payment_view(type("ByHand", (CreditPaymentMixin, TheBasketBeside), {}))
    assert checks.check_payment_view() == []


def test_switched_off_nobody_asks(payment_view: Any, settings: Any) -> None:
    payment_view(TheBasketBeside)
    settings.WAGTAIL_REFERRALS_OSCAR = {"CREDIT_AT_CHECKOUT": False}
    assert checks.check_payment_view() == []


def test_a_view_without_a_source_is_said(payment_view: Any) -> None:
    method = made_elsewhere("def handle_payment(self, number, total, **kwargs): gateway.charge(1)")
    payment_view(type("Sealed", (views.PaymentDetailsView,), {"handle_payment": method}), extended=True)
    (found,) = checks.check_payment_view()
    assert say([found]) == ["oscar_integration.W013"]
    assert "Sealed.handle_payment()" in found.msg and "customers pay twice" in found.msg
    payment_view(views.PaymentDetailsView, extended=True)
    assert checks.check_payment_view() == []


def test_what_is_no_view_at_all_is_said(payment_view: Any) -> None:
    payment_view(lambda request: None)
    assert say(checks.check_payment_view()) == ["oscar_integration.W002"]


# Where the addresses lead


def stock(label: str, *patterns: Any) -> Any:
    return path(f"{label}/", include((list(patterns), label), namespace=label))


STOCK = urls(
    stock(
        "checkout",
        path("preview/", views.PaymentDetailsView.as_view(preview=True), name="preview"),
        path("payment-method/", views.PaymentMethodView.as_view(), name="payment-method"),
    ),
    stock(
        "basket",
        path("", basket_views.BasketView.as_view(), name="summary"),
        path("vouchers/", basket_views.VoucherAddView.as_view(), name="vouchers-add"),
    ),
    stock("customer", path("<str:order_number>/", customer_views.OrderDetailView.as_view(), name="order")),
)


def test_addresses_that_were_made_too_early_are_said(settings: Any) -> None:
    """By an early reverse(): made anew, they would lead to the extended views."""
    original = settings.ROOT_URLCONF
    settings.ROOT_URLCONF = STOCK
    (found,) = checks.check_served_views()
    assert say([found]) == ["oscar_integration.E002"]
    assert "oscar.apps.checkout.views.PaymentDetailsView" in found.msg
    assert "customers cannot pay with their credit" in found.msg
    assert "reverse_lazy()" in found.hint
    settings.ROOT_URLCONF = original
    assert checks.check_served_views() == []


def test_a_fork_whose_urls_name_their_own_views_is_said(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = apps.get_app_config("checkout")
    original = settings.ROOT_URLCONF

    class Own(views.PaymentDetailsView):
        pass

    own = [path("preview/", Own.as_view(preview=True), name="preview")]
    settings.ROOT_URLCONF = urls(stock("checkout", *own))
    monkeypatch.setattr(config, "get_urls", lambda: own)
    (found,) = checks.check_served_views()
    assert say([found]) == ["oscar_integration.W012"]
    assert (
        "The address checkout:preview leads to" in found.msg
        and "Own, which the shop's URLs name" in found.msg
    )
    assert "self.payment_details_view.as_view()" in found.hint
    own[:] = [path("preview/", config.payment_details_view.as_view(preview=True), name="preview")]
    settings.ROOT_URLCONF = urls(stock("checkout", *own))
    assert checks.check_served_views() == []
    settings.ROOT_URLCONF = original


def test_a_shop_without_these_pages_is_left_alone(settings: Any) -> None:
    settings.ROOT_URLCONF = urls()
    assert checks.check_served_views() == []
    settings.ROOT_URLCONF = "tests.checks.nowhere"
    assert checks.check_served_views() == []


# Templates


@pytest.mark.parametrize(
    ("view", "attribute", "words", "tag"),
    [
        (
            "payment_details_view",
            "template_name",
            'own.html does not show the block "payment_details"',
            "referral_credit_form",
        ),
        (
            "payment_details_view",
            "template_name_preview",
            'own.html does not show the block "place_order"',
            "referral_credit_totals",
        ),
        (
            "order_detail_view",
            "template_name",
            'own.html does not show the block "order_total"',
            "credit_of_order order as credit",
        ),
    ],
)
def test_a_template_without_the_block_is_said(
    view: str,
    attribute: str,
    words: str,
    tag: str,
    settings: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    label = "customer" if view == "order_detail_view" else "checkout"
    monkeypatch.setattr(getattr(apps.get_app_config(label), view), attribute, "own.html")

    def write(source: str) -> None:
        (tmp_path / "own.html").write_text(source)
        settings.TEMPLATES = with_options(django_settings.TEMPLATES, DIRS=[tmp_path])

    write("{% if user %}Mine{% endif %}")
    (found,) = checks.check_templates()
    assert say([found]) == ["oscar_integration.W009"]
    assert words in found.msg and f"{{% {tag} %}}" in found.hint

    block = words.rpartition(" ")[2].strip('"')
    write(f"Mine {{% block {block} %}}{{% endblock %}}")
    assert checks.check_templates() == []
    write(f"Mine {{% load referral_credit %}}{{% {tag} %}}")
    assert checks.check_templates() == []
    # A part of the page says it.
    (tmp_path / "part.html").write_text(f"{{% load referral_credit %}}{{% {tag} %}}")
    write('Mine {% include "part.html" %}{% include name %}')
    assert checks.check_templates() == []
    # What cannot be read is said by the page itself.
    write("{% endblock %}")
    assert checks.check_templates() == []


def test_a_shop_without_the_app_of_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(label: str) -> Any:
        raise LookupError(label)

    monkeypatch.setattr(checks, "apps", SimpleNamespace(get_app_config=missing))
    assert checks.check_payment_view() == []
    assert checks.check_served_views() == []
    assert checks.check_templates() == []
