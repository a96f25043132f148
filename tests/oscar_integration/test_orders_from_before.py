"""Promise 12: orders from before the installation are never attributed, swept or mailed about, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model

from oscar_integration import attach_claim, attribution, repair
from tests.oscar_integration.shopping import Friend, create_order, fill_basket
from tests.oscar_integration.test_attribution_robust import unheard
from wagtail_referrals import messages, people, rewards, tracking
from wagtail_referrals.messages.models import Message
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import backfill, register_friend
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, ClaimBasket, Visit

pytestmark = pytest.mark.django_db

EMAIL = "lea@example.com"


@pytest.fixture
def old(mat: Any) -> Callable[..., Any]:
    """Places an order an hour ago, when nobody listened."""

    def place(user: Any = None, email: str = EMAIL) -> Any:
        with unheard():
            order = create_order(fill_basket(mat, user=user), user=user, email="" if user else email)
        order.date_placed = timezone.now() - timedelta(hours=1)
        order.save(update_fields=["date_placed"])
        return get_model("order", "Order").objects.get(pk=order.pk)

    return place


def invite(advocate: Any, terms: Any, user: Any = None, basket: Any = None) -> Claim:
    """The person comes by the link today."""
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    claim = rewards.commit(visit=visit, user=user, basket_reference=str(basket.pk) if basket else "")
    assert claim is not None
    return claim


def nothing_of(order: Any) -> None:
    """Also after days of sweeping, and whatever the order came to."""
    for days in (0, 1, 20, 200):
        rewards.sweep(now=timezone.now() + timedelta(days=days, minutes=10))
        messages.deliver_pending(now=timezone.now() + timedelta(days=days, minutes=10))
    assert not Purchase.objects.filter(reference=order.number).exists()
    assert not Reward.objects.exclude(state=Reward.State.REFUSED).filter(amount__gt=0, given_at__isnull=False)
    # Who came by the link today and opened an account is news of today, and nothing is said of the order.
    about_today = ("friend_registered", "remind_friend")
    assert not Message.objects.exclude(kind__in=about_today).exists()
    assert not Message.objects.filter(referral__purchases__isnull=False).exists()


def again(order: Any) -> None:
    """Oscar's signal, sent once more for it."""
    order_placed.send(sender=None, order=order, user=order.user)


def test_the_signal_sent_again(old: Any, advocate: Any, terms: Any, make_customer: Any) -> None:
    lea = make_customer(EMAIL)
    order = old(lea)
    invite(advocate, terms, lea)
    again(order)
    nothing_of(order)
    assert not Referral.objects.exists()


def test_the_signal_sent_again_for_a_friend_by_now(
    old: Any, advocate: Any, terms: Any, make_customer: Any
) -> None:
    """They are somebody's friend in the meantime, by account and by address."""
    lea = make_customer(EMAIL)
    own, guest = old(lea), old()
    claim = invite(advocate, terms, lea)
    register_friend(lea, claim=claim)
    for order in (own, guest):
        again(order)
        nothing_of(order)
    assert Referral.objects.get().purchases.count() == 0


def test_the_signal_sent_again_for_a_guest_who_ordered_as_a_friend(
    old: Any, friend: Friend, advocate: Any, terms: Any
) -> None:
    order = old()
    friend.click(advocate, terms)
    friend.add("MAT")
    friend.as_guest(EMAIL)
    new = friend.buy()
    again(order)
    assert list(Purchase.objects.values_list("reference", flat=True)) == [new.number]
    assert Purchase.objects.get().was_customer


def test_its_basket_tied_to_an_invitation(old: Any, advocate: Any, terms: Any) -> None:
    order = old()
    claim = invite(advocate, terms, basket=order.basket)
    assert ClaimBasket.objects.get().claim == claim
    assert repair.missed_orders(timezone.now() + timedelta(minutes=10)) == []
    again(order)
    attribution.attribute(order)
    nothing_of(order)


def test_its_basket_attached_by_the_shop(old: Any, advocate: Any, terms: Any) -> None:
    order = old()
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    attach_claim(order.basket, tracking.token_for(visit))
    attribution.attribute(order)
    nothing_of(order)


@pytest.mark.parametrize("status", ["Paid", "Shipped", "Complete", "Cancelled", "Refunded"])
def test_a_change_of_its_status(status: str, old: Any, advocate: Any, terms: Any, make_customer: Any) -> None:
    lea = make_customer(EMAIL)
    order = old(lea)
    register_friend(lea, claim=invite(advocate, terms, lea, order.basket))
    order.status = status
    order.save()
    nothing_of(order)


def test_money_given_back(old: Any, advocate: Any, terms: Any, make_customer: Any) -> None:
    lea = make_customer(EMAIL)
    order = old(lea)
    register_friend(lea, claim=invite(advocate, terms, lea, order.basket))
    kind = get_model("payment", "SourceType").objects.create(name="Card")
    source = order.sources.create(source_type=kind, currency="EUR", amount_debited=Decimal(100))
    source.refund(Decimal(40))
    event = get_model("order", "PaymentEventType").objects.create(name="Refund")
    order.payment_events.create(event_type=event, amount=Decimal(40))
    nothing_of(order)


def test_a_guest_who_registers_by_a_link_later(old: Any, friend: Friend, advocate: Any, terms: Any) -> None:
    order = old()
    friend.click(advocate, terms)
    friend.register(EMAIL)
    nothing_of(order)
    assert Referral.objects.get().reason == "existing_customer"


def test_the_order_of_the_session_at_registering(old: Any, friend: Friend, advocate: Any, terms: Any) -> None:
    """Oscar keeps the key of the last order in the session, also over the installation."""
    order = old()
    session = friend.client.session
    session["checkout_order_id"] = order.pk
    session.save()
    friend.client.cookies["sessionid"] = session.session_key
    friend.click(advocate, terms)
    friend.register("other@example.com")
    nothing_of(order)


def test_the_backfill_and_codes_for_all(
    old: Any, friend: Friend, make_customer: Any, advocate: Any, terms: Any
) -> None:
    """Old customers are known now, and have codes; nothing else came of it."""
    lea = make_customer(EMAIL)
    orders = [old(lea), old(), old(email="zoe@example.com")]
    backfill()
    people.make_codes(type(lea).objects.all())
    for order in orders:
        again(order)
        nothing_of(order)
    assert not Referral.objects.exists() and not Claim.objects.exists()
    assert Advocate.objects.count() == 2


def test_an_order_that_was_dated_back(advocate: Any, terms: Any, mat: Any, make_customer: Any) -> None:
    """Staff enter today what was ordered yesterday on the telephone, before the link came."""
    lea = make_customer(EMAIL)
    invite(advocate, terms, lea)
    order = create_order(fill_basket(mat, user=lea), user=lea, date_placed=timezone.now() - timedelta(days=1))
    nothing_of(order)


def test_an_order_of_today_is_attributed(
    old: Any, advocate: Any, terms: Any, mat: Any, make_customer: Any
) -> None:
    """So that all of the above says something."""
    lea = make_customer(EMAIL)
    invite(advocate, terms, lea)
    order = create_order(fill_basket(mat, user=lea), user=lea)
    assert Purchase.objects.get().reference == order.number
