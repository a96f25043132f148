"""Attribution only, vouchers, credit at checkout: each switched on and off again, in the middle of life.

Switching is a restart with another setting: ``Shop.switch`` builds the addresses anew, from the views that Oscar chose
or from ours on top of them.
"""

from __future__ import annotations

import html
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from django.apps import apps
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import clear_url_caches
from django.utils import timezone
from oscar.core.loading import get_class, get_model

# Before any switch: the shop's own addresses are made of the views as they are then.
import example_site.urls
from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK
from oscar_integration.checkout import extend_checkout
from tests.books import assert_audit_clean
from tests.oscar_integration.paying import Customer, available, balance, charges, give, sources, states
from tests.oscar_integration.shopping import Friend, create_order, make_program
from tests.oscar_integration.test_attribution_robust import unheard
from tests.oscar_integration.test_rewards_to_use import PERCENT, earn, page_of, use
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import rewards
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.people import code_of
from wagtail_referrals.programs import forget_open_terms, pick_terms
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.referrals.timeline import event_words
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.rewards.settle import settle

pytestmark = pytest.mark.django_db

Order = get_model("order", "Order")
Voucher = get_model("voucher", "Voucher")
VIEWS = {"payment_method_view": "PaymentMethodView", "payment_details_view": "PaymentDetailsView"}

Switch = Callable[..., None]


def addresses() -> ModuleType:
    """The shop's addresses, made of the views as they are now."""
    spec = importlib.util.spec_from_file_location("tests.addresses_of_a_stage", example_site.urls.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def switch(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    """Restart the shop with these stages."""

    def restart(**stages: bool) -> None:
        settings.WAGTAIL_REFERRALS_OSCAR = {**getattr(settings, "WAGTAIL_REFERRALS_OSCAR", {}), **stages}
        config = apps.get_app_config("checkout")
        for attribute, name in VIEWS.items():
            monkeypatch.setattr(config, attribute, get_class("checkout.views", name))
        extend_checkout(config)
        monkeypatch.setitem(sys.modules, "tests.addresses_of_a_stage", addresses())
        settings.ROOT_URLCONF = "tests.addresses_of_a_stage"
        clear_url_caches()

    yield restart
    clear_url_caches()


@pytest.fixture
def lea(make_customer: Any) -> Any:
    user = make_customer("lea@example.com", first_name="Léa")
    give(user, "15")
    return user


@pytest.fixture
def customer(lea: Any, france: Any, mat: Any) -> Customer:
    return Customer(lea)


def codes_in(friend: Friend) -> list[str]:
    return list(friend.basket().vouchers.values_list("code", flat=True))


def kinds_of_events() -> list[str]:
    return list(TimelineEvent.objects.order_by("pk").values_list("kind", flat=True))


def earn_while_off(switch: Switch, advocate: Any, product: Any, rule: dict[str, Any]) -> Reward:
    """A reward that was promised before the shop stopped giving vouchers, and is due now."""
    terms = make_program([{"side": "advocate", "trigger": "first_purchase"} | rule], hold_days=0)
    switch(VOUCHERS=False)
    order = create_order(claimed(advocate, terms, product), email="lea@example.com")
    order.set_status("Paid")
    order.set_status("Shipped")
    settle(Purchase.objects.get(reference=order.number).referral_id)
    return Reward.objects.get()


# Attribution only


def test_attribution_only_leaves_baskets_and_totals_alone_and_finds_the_friend(
    switch: Switch, friend: Friend, advocate: Any, mat: Any
) -> None:
    terms = make_program(hold_days=0)
    switch(VOUCHERS=False, CREDIT_AT_CHECKOUT=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    basket = friend.basket()
    assert str(basket.total_incl_tax) == "100.00"
    assert not basket.offer_applications and not basket.vouchers.exists()
    friend.as_guest("jo@example.com")
    order = friend.buy()
    assert str(order.total_incl_tax) == "100.00"
    assert not order.discounts.exists()
    assert Purchase.objects.get().reference == order.number
    assert not Voucher.objects.exists() and not get_model("offer", "ConditionalOffer").objects.exists()
    order.set_status("Paid")
    order.set_status("Shipped")
    rewards.sweep()
    assert balance(advocate.user) == "15.00"
    assert_audit_clean()


def test_a_promised_discount_waits_and_says_so_once(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    switch(VOUCHERS=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    page = friend.client.get(friend.url("basket/"))
    assert any("cannot be used in the shop at the moment" in str(text) for text in page.context["messages"])
    # The banner of the invitation does not promise it either.
    assert "Camille invites you" in page.content.decode() and "10% off" not in page.content.decode()
    assert not any("at the moment" in text for text in friend.messages())
    grant = DiscountGrant.objects.get()
    assert (grant.state, grant.code) == ("offered", "")
    rewards.sweep()
    assert DiscountGrant.objects.get().state == "offered"
    events = [event_words(event) for event in TimelineEvent.objects.all()]
    assert sum("waits until it does" in words for words in events) == 1
    assert "discount_issued" not in kinds_of_events()
    assert_audit_clean()


def test_a_promised_discount_is_there_when_the_stage_comes_on(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    switch(VOUCHERS=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    switch(VOUCHERS=True)
    assert str(friend.basket().total_incl_tax) == "90.00"
    assert kinds_of_events().count("discount_issued") == 1
    friend.as_guest("jo@example.com")
    assert str(friend.buy().total_incl_tax) == "90.00"
    assert DiscountGrant.objects.get().state == "used"


def test_the_sweep_issues_what_waits(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    switch(VOUCHERS=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    switch(VOUCHERS=True)
    rewards.sweep()
    rewards.sweep()
    grant = DiscountGrant.objects.get()
    assert grant.state == "issued" and Voucher.objects.get().code == grant.code
    assert kinds_of_events().count("discount_issued") == 1


def test_what_waits_lapses_with_the_invitation(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    switch(VOUCHERS=False)
    friend.click(advocate, terms)
    friend.add("MAT")
    later = timezone.now() + timedelta(days=400)
    rewards.sweep(now=later)
    switch(VOUCHERS=True)
    rewards.sweep(now=later)
    assert DiscountGrant.objects.get().state == "void"
    assert not Voucher.objects.exists()


def test_newcomers_are_not_promised_what_is_not_given(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    """The program's terms are those without the discount meanwhile, and the same as before after it."""
    link = f"/r/{code_of(advocate)}/"
    assert "10% off" in friend.client.get(link, follow=True).content.decode()
    switch(VOUCHERS=False)
    forget_open_terms()
    newcomer = Friend()
    assert "10% off" not in newcomer.client.get(link, follow=True).content.decode()
    newcomer.add("MAT")
    newcomer.type_code(code_of(advocate))
    assert not any("discount" in text for text in newcomer.messages())
    assert str(newcomer.basket().total_incl_tax) == "100.00"
    newcomer.as_guest("jo@example.com")
    assert Purchase.objects.filter(reference=newcomer.buy().number).exists()
    assert not DiscountGrant.objects.exists()
    switch(VOUCHERS=True)
    forget_open_terms()
    friend.add("MAT")
    assert str(friend.basket().total_incl_tax) == "90.00"
    assert pick_terms(site_id=None).terms_id == terms.pk


def test_a_typed_code_that_brings_nothing_now_is_an_invitation_all_the_same(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    switch(VOUCHERS=False)
    forget_open_terms()
    friend.add("MAT")
    friend.type_code(code_of(advocate))
    assert "Invitation saved." in " ".join(friend.messages())


# Vouchers, switched off in the middle of life


def test_a_voucher_in_an_open_basket_stays_good(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    before = codes_in(friend)
    switch(VOUCHERS=False)
    assert codes_in(friend) == before and len(before) == 1
    assert str(friend.basket().total_incl_tax) == "90.00"
    friend.as_guest("jo@example.com")
    order = friend.buy()
    assert str(order.total_incl_tax) == "90.00"
    assert DiscountGrant.objects.get().used_reference == order.number
    assert_audit_clean()


def test_a_reward_that_was_given_stays_good(
    switch: Switch, camille: Any, advocate: Any, france: Any, mat: Any
) -> None:
    earn(advocate, mat, PERCENT)
    switch(VOUCHERS=False)
    customer = Customer(camille)
    customer.add("MAT")
    assert use(customer).status_code == 302
    assert str(customer.basket().total_incl_tax) == "80.00"


def test_a_reward_earned_meanwhile_waits_and_is_told_truly(
    switch: Switch, camille: Any, advocate: Any, mat: Any, france: Any, mailoutbox: Any
) -> None:
    reward = earn_while_off(switch, advocate, mat, PERCENT | {"expires_days": 30})
    rewards.sweep()
    page = page_of(Customer(camille))
    assert "It cannot be used in the shop at the moment" in page
    assert "Put it into the basket" not in page
    assert use(Customer(camille)).url.endswith("/refer-a-friend/rewards/")
    assert not get_model("basket", "Basket").objects.filter(owner=camille, vouchers__isnull=False).exists()
    assert_audit_clean()
    switch(VOUCHERS=True)
    later = timezone.now() + timedelta(days=50)
    rewards.sweep(now=later)
    reward.discount.refresh_from_db()
    assert reward.discount.state == "issued"
    # Its 30 days begin when it can be used.
    assert reward.discount.expires_at == later + timedelta(days=30)
    assert reward.discount.code in page_of(Customer(camille))
    assert kinds_of_events().count("reward_usable") == 1
    assert_audit_clean()


def test_the_mail_about_a_reward_that_waits_promises_no_use(
    switch: Switch, advocate: Any, mat: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        earn_while_off(switch, advocate, mat, PERCENT | {"expires_days": 30})
        rewards.sweep()
    (sent,) = [each for each in mail.outbox if "20%" in each.subject]
    assert "It cannot be used in the shop at the moment" in sent.body
    assert "until" not in sent.body and "checkout" not in sent.body and "code" not in sent.body
    # The HTML says the same.
    assert "It cannot be used in the shop at the moment" in html.unescape(str(sent.alternatives[0][0]))


def test_an_order_that_never_happened_gives_its_discount_back_when_there_are_some(
    switch: Switch, friend: Friend, advocate: Any, terms: Any, mat: Any
) -> None:
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest("jo@example.com")
    order = friend.buy()
    switch(VOUCHERS=False)
    order.set_status("Cancelled")
    rewards.sweep()
    again = DiscountGrant.objects.get(issue=1)
    assert (again.state, again.code) == ("offered", "")
    switch(VOUCHERS=True)
    rewards.sweep()
    again.refresh_from_db()
    assert again.state == "issued" and again.code
    assert_audit_clean()


# Credit at checkout


def test_with_all_of_it_off_the_shops_views_are_its_own() -> None:
    """Asked of a process that was started so: every view of the checkout is the very class that the shop wrote."""
    program = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "example_site.settings"
from django.conf import settings
settings.WAGTAIL_REFERRALS_OSCAR = dict.fromkeys(["CREDIT_AT_CHECKOUT", "SHARE_AFTER_ORDER"], %s)
import django
django.setup()
from django.apps import apps
from django.urls import resolve
from oscar.core.loading import get_class
config = apps.get_app_config("checkout")
names = {
    "index_view": "IndexView", "shipping_address_view": "ShippingAddressView",
    "user_address_update_view": "UserAddressUpdateView", "user_address_delete_view": "UserAddressDeleteView",
    "shipping_method_view": "ShippingMethodView", "payment_method_view": "PaymentMethodView",
    "payment_details_view": "PaymentDetailsView", "thankyou_view": "ThankYouView",
}
assert set(names) == {name for name in vars(config) if name.endswith("_view")}
print(*[name for name, klass in names.items() if getattr(config, name) is not get_class("checkout.views", klass)])
print(resolve("/en/checkout/preview/").func.view_class is get_class("checkout.views", "PaymentDetailsView"))
"""
    lines = {}
    for stage in (False, True):
        run = subprocess.run([sys.executable, "-c", program % stage], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        lines[stage] = run.stdout.splitlines()
    assert lines[False] == ["", "True"]
    # Else the look would prove nothing.
    assert lines[True] == ["payment_method_view payment_details_view thankyou_view", "False"]


def test_with_credit_off_no_template_and_no_query_more(switch: Switch, customer: Customer) -> None:
    switch(CREDIT_AT_CHECKOUT=False)
    customer.add("MAT")
    customer.deliver()

    def pages() -> list[Any]:
        found = []
        for work in (
            lambda: customer.client.get(customer.url("checkout/payment-method/")),
            lambda: customer.client.get(customer.url("checkout/payment-details/")),
            lambda: customer.preview(ACCEPTED),
        ):
            with CaptureQueriesContext(connection) as captured:
                response = work()
            found.append((len(captured), sorted({template.name or "" for template in response.templates})))
        return found

    pages()
    with unheard():
        before = pages()
    assert pages() == before
    assert not any("oscar_integration" in name for _number, names in before for name in names)


def test_credit_is_earned_while_it_cannot_be_spent_and_the_page_says_so(
    switch: Switch, customer: Customer, camille: Any, advocate: Any, mat: Any
) -> None:
    switch(CREDIT_AT_CHECKOUT=False)
    camilles = Customer(camille)
    assert "You have no credit yet." in page_of(camilles)
    assert "can be used at checkout" not in page_of(camilles)
    earn(advocate, mat, {"kind": "credit", "amounts": {"EUR": "15.00"}})
    page = page_of(camilles)
    assert "€15.00" in page
    assert "At the moment orders cannot be paid with credit. What you earn is saved for you." in page
    switch(CREDIT_AT_CHECKOUT=True)
    assert "At the moment orders cannot be paid with credit" not in page_of(camilles)


def test_the_mail_about_credit_does_not_promise_the_checkout(
    switch: Switch, advocate: Any, mat: Any, django_capture_on_commit_callbacks: Any
) -> None:
    switch(CREDIT_AT_CHECKOUT=False)
    with django_capture_on_commit_callbacks(execute=True):
        earn(advocate, mat, {"kind": "credit", "amounts": {"EUR": "15.00"}})
    (sent,) = mail.outbox
    assert "€15.00" in sent.body and "checkout" not in sent.body


def test_switched_off_between_preview_and_click_nothing_is_charged(
    switch: Switch, customer: Customer, lea: Any
) -> None:
    """The page said 85 by card: the shop's own view would charge 100."""
    customer.go_to_payment()
    customer.use("15")
    customer.preview(ACCEPTED)
    switch(CREDIT_AT_CHECKOUT=False)
    response = customer.place_order(ACCEPTED, referral_credit_shown="15.00/85.00 EUR")
    assert response.status_code == 302 and response.url.endswith("/checkout/payment-details/")
    assert charges() == [] and not Order.objects.exists()
    assert any("Nothing was charged, and your credit stays" in text for text in customer.messages())
    assert (balance(lea), available(lea)) == ("15.00", "15.00")
    # Having seen the whole amount, they pay it.
    customer.preview(ACCEPTED)
    assert customer.place_order(ACCEPTED).url.endswith("/thank-you/")
    assert sources(Order.objects.get()) == {"card": "100.00"}


def test_switched_off_while_the_shopper_is_at_the_bank_the_order_is_paid_as_agreed(
    switch: Switch, customer: Customer, lea: Any
) -> None:
    customer.go_to_payment()
    customer.use("15")
    bank = customer.place(ASKS_THE_BANK)
    assert states() == ["active"]
    switch(CREDIT_AT_CHECKOUT=False)
    customer.client.post(bank.url, {"answer": "confirm"}, follow=True)
    order = Order.objects.get()
    assert sources(order) == {"card": "85.00"}
    rewards.sweep(now=timezone.now() + timedelta(minutes=6))
    assert sources(order) == {"card": "85.00", "referral-credit": "15.00"}
    assert balance(lea) == "0.00"
    # Cancelled while the stage is off: the credit goes back all the same.
    order.set_status("Cancelled")
    rewards.sweep()
    assert available(lea) == "15.00"
    assert_audit_clean(only=("ledger",))


def test_set_aside_then_paid_by_card_as_a_whole_takes_no_credit(
    switch: Switch, customer: Customer, lea: Any
) -> None:
    """The number of the order is the same: what an earlier attempt set aside must not be spent beside the card."""
    customer.go_to_payment()
    customer.use("15")
    bank = customer.place(ASKS_THE_BANK)
    switch(CREDIT_AT_CHECKOUT=False)
    customer.client.post(bank.url, {"answer": "refuse"}, follow=True)
    assert customer.place(ACCEPTED).status_code == 302
    order = Order.objects.get()
    assert Reservation.objects.get().order_number == order.number
    for minutes in (6, 70, 100):
        rewards.sweep(now=timezone.now() + timedelta(minutes=minutes))
    assert sources(order) == {"card": "100.00"}
    assert states() == ["expired"]
    assert (balance(lea), available(lea)) == ("15.00", "15.00")


def test_switched_on_again_the_credit_is_offered(switch: Switch, customer: Customer) -> None:
    switch(CREDIT_AT_CHECKOUT=False)
    page = customer.go_to_payment()
    assert page.context.get("referral_credit") is None
    switch(CREDIT_AT_CHECKOUT=True)
    assert customer.panel().available == Decimal("15.00")


# All of it


def test_with_all_stages_on_and_off_and_on_a_program_pays(
    switch: Switch, advocate: Any, france: Any, mat: Any
) -> None:
    """Friends at each stage; every one of their orders counts, and the books agree."""
    terms = make_program(hold_days=0)
    totals = []
    for number, stage in enumerate([False, True, False, True]):
        switch(VOUCHERS=stage, CREDIT_AT_CHECKOUT=stage)
        friend = Friend()
        friend.click(advocate, terms)
        friend.add("MAT")
        friend.as_guest(f"friend-{number}@example.com")
        order = friend.buy()
        totals.append(str(order.total_incl_tax))
        order.set_status("Paid")
        order.set_status("Shipped")
        rewards.sweep()
    assert totals == ["100.00", "90.00", "100.00", "90.00"]
    assert set(Referral.objects.values_list("state", flat=True)) == {"rewarded"}
    assert balance(advocate.user) == "60.00"
    assert_audit_clean()
