"""The card that a customer keeps for renewals: at the checkout, in the account, and at the "bank"."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils.translation import override
from oscar.core.loading import get_model

from example_site.card import gateway, kept
from example_site.card.gateway import ACCEPTED, ASKS_THE_BANK, DECLINED, DECLINED_LATER
from example_site.card.models import DemoCharge, StoredCard
from example_site.card.renewals import RenewalCards
from example_site.seed.plans import seed_plans
from oscar_integration.memberships.charging import Card, CardDeclined, Charge, ChargeRequest, renewal_cards
from tests.credit.test_concurrency import at_once
from tests.example_site.conftest import Shopper

D = Decimal
Order = get_model("order", "Order")


@pytest.fixture
def camille(people: None) -> Any:
    seed_plans()
    return get_user_model().objects.get(email="camille@example.com")


@pytest.fixture
def member(camille: Any, client: Any) -> Shopper:
    """Camille, signed in, with a monthly membership (75.00) in the basket, ready to pay."""
    client.force_login(camille)
    someone = Shopper(client)
    someone.add("MEMBER-MONTH")
    client.get("/en/checkout/shipping-method/")
    return someone


def keeping(shopper: Shopper, number: str) -> dict[str, str]:
    return {**shopper.card(number), "card-keep": "on"}


def orders(shopper: Shopper, number: str, keep: bool = True) -> Any:
    fields = keeping(shopper, number) if keep else shopper.card(number)
    preview = shopper.client.post("/en/checkout/preview/", fields)
    assert ('name="card-keep"' in preview.content.decode()) is True
    return shopper.client.post("/en/checkout/preview/", {"action": "place_order", **fields})


def test_it_is_offered_ticked_where_something_renews(member: Shopper) -> None:
    page = member.client.get("/en/checkout/payment-details/")
    assert page.context["card_form"]["keep"].value() is True
    words = page.content.decode()
    assert "Keep this card for renewals" in words
    assert "your referral credit pays first and this card the rest" in words
    assert "4000 0000 0000 0341" in words


def test_it_is_not_offered_where_nothing_renews_or_to_a_guest(camille: Any, client: Any) -> None:
    client.force_login(camille)
    someone = Shopper(client)
    someone.add("PASS-10")
    client.get("/en/checkout/shipping-method/")
    assert "keep" not in client.get("/en/checkout/payment-details/").context["card_form"].fields
    client.logout()
    someone.add("MEMBER-MONTH")
    someone.as_guest()
    client.get("/en/checkout/shipping-method/")
    assert "keep" not in client.get("/en/checkout/payment-details/").context["card_form"].fields


@pytest.mark.parametrize("number", [ACCEPTED, DECLINED_LATER])
def test_the_order_keeps_a_token_and_no_number(member: Shopper, camille: Any, number: str) -> None:
    assert orders(member, number).url == "/en/checkout/thank-you/"
    card = StoredCard.objects.get()
    assert (card.user, card.label) == (camille, f"•••• {number[-4:]}")
    assert number not in card.token
    assert all(number not in str(value) for value in member.client.session.values())


def test_the_thank_you_page_says_what_was_bought_and_leads_to_it(
    member: Shopper, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        address = orders(member, ACCEPTED).url
    page = member.client.get(address).content.decode()
    words = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert re.search(r"Monthly membership, until \w+\.? \d+, \d{4} See your memberships and your code", words)
    assert '<a href="/en/memberships/">' in page


def test_who_does_not_tick_it_keeps_none(member: Shopper) -> None:
    assert orders(member, ACCEPTED, keep=False).url == "/en/checkout/thank-you/"
    assert not StoredCard.objects.exists()


def test_a_declined_card_is_not_kept_by_a_later_order(member: Shopper) -> None:
    orders(member, DECLINED)
    assert not StoredCard.objects.exists()
    orders(member, ACCEPTED, keep=False)
    assert Order.objects.count() == 1
    assert not StoredCard.objects.exists()


def test_by_way_of_the_bank_it_is_kept_once_the_order_is_there(member: Shopper) -> None:
    bank = orders(member, ASKS_THE_BANK).url
    assert not StoredCard.objects.exists()
    member.client.post(bank, {"answer": "confirm"}, follow=True)
    assert Order.objects.get().status == "Paid"
    assert StoredCard.objects.get().last4 == "3220"


def test_the_customer_sees_changes_and_removes_it(camille: Any, client: Any) -> None:
    assert client.get("/en/account/card/").url == "/en/accounts/login/?next=/en/account/card/"
    client.force_login(camille)
    fields = Shopper(client).card
    assert "You keep no card with us" in client.get("/en/account/card/").content.decode()
    client.post("/en/account/card/", fields(ACCEPTED))
    page = client.get("/en/account/card/").content.decode()
    assert "Your card •••• 4242" in page
    assert "Your renewals are charged to •••• 4242 from now on." in page
    refused = client.post("/en/account/card/", fields(DECLINED)).content.decode()
    assert "Your bank declined this card" in refused
    client.post("/en/account/card/", fields(DECLINED_LATER))
    assert StoredCard.objects.get().last4 == "0341", "one card, in the place of the one before"
    client.post("/en/account/card/", {"remove": "1"})
    assert not StoredCard.objects.exists()
    assert client.post("/en/account/card/", {"remove": "1"}).status_code == 302


# The bank


def charge(number: str, key: str, amount: str = "75.00", order: str = "100100") -> tuple[str, Decimal, int]:
    made = gateway.charge_kept(gateway.keep(number), order, D(amount), "EUR", key)
    return made.status, made.amount, made.attempts


def test_a_kept_card_is_charged_once_however_often_it_is_asked(db: None) -> None:
    assert charge(ACCEPTED, "renewal:1:0") == ("captured", D("75.00"), 1)
    assert charge(ACCEPTED, "renewal:1:0") == ("captured", D("75.00"), 1)
    assert DemoCharge.objects.count() == 1


def test_the_same_key_has_the_same_answer_and_another_one_tries_again(db: None) -> None:
    assert charge(DECLINED_LATER, "renewal:1:0")[0] == "declined"
    # The customer keeps another card by now, but this is the request of before.
    assert charge(ACCEPTED, "renewal:1:0") == ("declined", D("75.00"), 1)
    # Credit came in meanwhile.
    assert charge(ACCEPTED, "renewal:1:1", "60.00") == ("captured", D("60.00"), 2)
    # What was taken stays taken: nothing more is, whoever asks.
    assert charge(ACCEPTED, "renewal:1:2", "75.00") == ("captured", D("60.00"), 2)
    assert DemoCharge.objects.count() == 1
    assert gateway.refund("100100", D("75.00")) == D("60.00")


# What memberships ask


@pytest.fixture
def request_of(camille: Any) -> Any:
    def make(key: str = "renewal:1:0") -> ChargeRequest:
        return ChargeRequest(camille, D("75.00"), "EUR", key, order_number="100100", reference="ABCD2345")

    return make


def test_the_settings_name_the_shops_cards() -> None:
    assert isinstance(renewal_cards(), RenewalCards)


def test_a_renewal_is_charged_to_the_card_on_file(camille: Any, request_of: Any) -> None:
    cards = RenewalCards()
    assert cards.card(camille) == Card("", "/en/account/card/")
    kept.keep_card(camille, gateway.keep(ACCEPTED))
    assert cards.card(camille) == Card("•••• 4242", "/en/account/card/")
    with override("fr"):
        assert cards.card(camille) == Card("•••• 4242", "/fr/account/card/")
    made = cards.charge(request_of())
    assert made == Charge(DemoCharge.objects.get().token[:8], "•••• 4242", "card")
    StoredCard.objects.all().delete()
    assert cards.charge(request_of()) == made, "the same request, after the card was removed"


def test_a_refusal_says_which_card_it_was(camille: Any, request_of: Any) -> None:
    cards = RenewalCards()
    with pytest.raises(CardDeclined) as refused:
        cards.charge(request_of())
    assert refused.value.words == "You keep no card with us."
    kept.keep_card(camille, gateway.keep(DECLINED_LATER))
    with pytest.raises(CardDeclined, match="You keep no card"):
        cards.charge(request_of())
    with pytest.raises(CardDeclined, match="declined •••• 0341"):
        cards.charge(request_of("renewal:1:1"))
    kept.keep_card(camille, gateway.keep(ACCEPTED))
    with pytest.raises(CardDeclined):
        cards.charge(request_of("renewal:1:1"))
    assert cards.charge(request_of("renewal:1:2")).label == "•••• 4242"
    assert DemoCharge.objects.get().attempts == 3


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.django_db(transaction=True)
def test_asked_at_once_it_is_charged_once() -> None:
    assert set(at_once(lambda _number: charge(ACCEPTED, "renewal:1:0"), 4)) == {("captured", D("75.00"), 1)}
    assert DemoCharge.objects.count() == 1
