"""A renewal that nobody pays: past due, tried again, ended with notice. And what the shop cannot sell."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from oscar.core.loading import get_class, get_model

from oscar_integration.memberships import announcing
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.memberships.renewals import LEASE, forecast, renew, try_soon
from tests.books import assert_audit_clean
from tests.memberships.renewing import (
    DAY,
    DUE,
    NEXT,
    Bank,
    fresh,
    has_credit,
    left,
    mail,
    mails,
    make_member,
    make_renewing_plan,
    message,
    open_bank,
    orders_of,
    renewal_of,
    set_price,
    unwrapped,
)
from wagtail_referrals import people, rewards
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.people.models import Advocate

pytestmark = pytest.mark.django_db

D = Decimal
State = Renewal.State
Basket = get_model("basket", "Basket")
WORDS = "Your bank declined this card."


def decline(bank: Bank, member: Any) -> None:
    assert member.user is not None
    bank.declines[member.user.pk] = WORDS


def moments(bank: Bank) -> list[str]:
    return [request.key.rpartition(":")[2] for request in bank.asked]


# A declined card


def test_it_is_past_due_tried_again_and_ended_with_notice(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    decline(bank, member)
    until(DUE)
    renewal = renewal_of(member)
    assert (renewal.state, renewal.refusal, renewal.attempt) == (State.PAST_DUE, WORDS, 1)
    assert renewal.next_attempt_at == DUE + DAY
    assert fresh(member).state == Membership.State.PAST_DUE
    assert fresh(member).access_until == DUE + 7 * DAY
    text = unwrapped(mail(member.user, "membership_declined"))
    assert WORDS in text and "until April 17, 2026" in text
    assert "We try again on April 11, 2026" in text and "http://localhost/accounts/card/" in text
    # By the plan 1, 3 and 5 days after it was due, and once more when the time of grace ends.
    for days, following in ((1, 3), (3, 5), (5, 7)):
        at(DUE + days * DAY - timedelta(minutes=1))
        at(DUE + days * DAY)
        assert renewal_of(member).next_attempt_at == DUE + following * DAY
    assert fresh(member).is_open(DUE + 7 * DAY - timedelta(minutes=1))
    at(DUE + 7 * DAY)
    renewal.refresh_from_db()
    assert (renewal.state, moments(bank)) == (State.GIVEN_UP, ["0", "1", "2", "3", "4"])
    ended = fresh(member)
    assert (ended.state, ended.ended_reason) == (Membership.State.ENDED, Membership.Reason.NOT_PAID)
    assert mails(member.user) == ["membership_renews", *["membership_declined"] * 4, "membership_ended"]
    assert WORDS in unwrapped(mail(member.user, "membership_ended"))
    until(DUE + 20 * DAY, DUE + 8 * DAY)
    assert (len(bank.asked), orders_of(member)) == (5, [])
    assert_audit_clean()


def test_a_card_that_is_changed_in_time_pays_without_a_gap(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    decline(bank, member)
    until(DUE)
    bank.declines.clear()
    at(DUE + DAY)
    assert (fresh(member).state, fresh(member).ends_at) == (Membership.State.ACTIVE, NEXT)
    assert len(orders_of(member)) == 1
    assert renewal_of(member).refusal == ""
    assert not announcing.is_due(message(member.user, "membership_declined"), DUE + DAY)


def test_who_changes_the_card_need_not_wait_for_the_next_try(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    assert not try_soon(member.pk, DUE)
    decline(bank, member)
    until(DUE)
    at(DUE + DAY)
    bank.declines.clear()
    assert try_soon(member.pk, DUE + DAY + timedelta(minutes=5))
    at(DUE + DAY + timedelta(minutes=10))
    assert fresh(member).ends_at == NEXT


def test_the_last_try_when_the_time_of_grace_ends_counts_from_the_old_end(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    decline(bank, member)
    until(DUE + 5 * DAY)
    bank.declines.clear()
    clock_moment = DUE + 7 * DAY + timedelta(minutes=5)
    at(clock_moment)
    assert fresh(member).ends_at == NEXT, "five minutes of closed doors move no month"


def test_credit_that_was_set_aside_is_free_while_it_is_past_due(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    has_credit(member.user, "12.00")
    decline(bank, member)
    until(DUE)
    assert (left(member.user), bank.asked[0].amount) == ("12.00", D("18.00"))
    has_credit(member.user, "10.00")
    bank.declines.clear()
    at(DUE + DAY)
    assert (left(member.user), bank.amounts) == ("0.00", ["8.00"])
    assert_audit_clean()


def test_who_is_past_due_pays_what_was_announced(member: Any, bank: Bank, at: Any, until: Any) -> None:
    decline(bank, member)
    until(DUE)
    set_price(member.plan, "36.00")
    found = forecast(fresh(member), DUE)
    assert found is not None and found.charge == D("30.00")
    bank.declines.clear()
    at(DUE + DAY)
    (order,) = orders_of(member)
    assert (bank.amounts, str(order.total_incl_tax), str(order.total_excl_tax)) == (
        ["30.00"],
        "30.00",
        "25.00",
    )


def test_a_plan_without_a_time_of_grace_ends_at_once(bank: Bank, clock: Any, until: Any) -> None:
    member = make_member(plan=make_renewing_plan(grace_days=0))
    decline(bank, member)
    until(DUE)
    assert (renewal_of(member).state, fresh(member).state) == (State.GIVEN_UP, Membership.State.ENDED)
    assert mails(member.user) == ["membership_renews", "membership_ended"]


def test_a_plan_without_a_time_of_grace_is_renewed_by_a_sweep_that_comes_a_little_late(
    bank: Bank, clock: Any, at: Any, until: Any
) -> None:
    member = make_member(plan=make_renewing_plan(grace_days=0))
    until(DUE - DAY)
    clock.move_to(DUE + timedelta(minutes=5))
    rewards.sweep(now=DUE + timedelta(minutes=5))
    assert (fresh(member).state, fresh(member).ends_at) == (Membership.State.ACTIVE, NEXT)


def test_a_sweep_that_comes_days_late_renews_before_it_ends_anything(
    bank: Bank, clock: Any, until: Any
) -> None:
    """The shop's fault: the member wants it to go on, and pays for the days to come only."""
    member = make_member(plan=make_renewing_plan(grace_days=0))
    until(DUE - DAY)
    late = DUE + 3 * DAY
    clock.move_to(late)
    rewards.sweep(now=late)
    assert bank.amounts == ["30.00"]
    assert (fresh(member).state, fresh(member).ends_at) == (Membership.State.ACTIVE, NEXT + 3 * DAY)


def test_grace_counts_from_when_it_could_be_charged(member: Any, bank: Bank, at: Any, until: Any) -> None:
    """It was announced late, so it was charged late."""
    decline(bank, member)
    at(DUE + 3 * DAY)
    at(DUE + 10 * DAY)
    assert renewal_of(member).next_attempt_at == DUE + 11 * DAY
    assert fresh(member).access_until == DUE + 17 * DAY
    assert fresh(member).state == Membership.State.PAST_DUE


def test_no_card(member: Any, bank: Bank, until: Any) -> None:
    bank.without_card.add(member.user.pk)
    until(DUE)
    assert (bank.asked, renewal_of(member).state) == ([], State.PAST_DUE)
    text = unwrapped(mail(member.user, "membership_declined"))
    assert "There is no card that could be charged." in text and "please give us a card by then" in text
    assert not Reservation.objects.exists()


def test_no_card_and_where_to_add_one(member: Any, bank: Bank, until: Any) -> None:
    bank.without_card.add(member.user.pk)
    bank.adding = "/accounts/card/"
    until(DUE)
    assert (bank.asked, renewal_of(member).state) == ([], State.PAST_DUE)
    text = unwrapped(mail(member.user, "membership_declined"))
    assert "There is no card that could be charged." in text and "Add a card http://" in text
    assert "/accounts/card/" in text


def test_a_shop_that_charges_no_cards(member: Any, bank: Bank, settings: Any, until: Any) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {}
    open_bank()
    until(DUE + DAY)
    assert renewal_of(member).refusal == "The shop cannot charge a card for it at present."
    assert mails(member.user) == ["membership_renews", "membership_declined"], (
        "once is enough of the shop's trouble"
    )


def test_words_are_in_the_language_of_the_customer(member: Any, bank: Bank, until: Any) -> None:
    advocate = people.advocate_for(member.user)
    Advocate.objects.filter(pk=advocate.pk).update(language="fr")
    heard: list[str] = []
    bank.before = lambda request: heard.append(translation.get_language() or "")
    until(DUE)
    assert heard == ["fr"]
    assert message(member.user, "membership_renewed").language == "fr"


# What the shop cannot sell


def no_product(member: Any) -> None:
    member.plan.product.delete()


def no_price(member: Any) -> None:
    member.plan.product.stockrecords.update(price=None)


def no_stockrecord(member: Any) -> None:
    member.plan.product.stockrecords.all().delete()


def sold_out(member: Any) -> None:
    product = member.plan.product
    product.product_class.track_stock = True
    product.product_class.save()
    product.stockrecords.update(num_in_stock=0)


def has_to_be_sent(member: Any) -> None:
    product = member.plan.product
    product.product_class.requires_shipping = True
    product.product_class.save()


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (no_product, "The shop no longer sells this membership."),
        (no_price, "The shop has no price for this membership at present."),
        (no_stockrecord, "The shop has no price for this membership at present."),
        (sold_out, "This membership cannot be bought at present"),
        (has_to_be_sent, "This membership has to be sent to you"),
    ],
)
def test_what_the_shop_cannot_sell_is_refused_in_words(
    trouble: Any, words: str, member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    trouble(member)
    at(DUE)
    renewal = renewal_of(member)
    assert (renewal.state, bank.asked, orders_of(member)) == (State.PAST_DUE, [], [])
    assert renewal.refusal.startswith(words)
    assert forecast(fresh(member), DUE) is None
    text = unwrapped(mail(member.user, "membership_declined"))
    assert words in text and "You need not do anything." in text
    until(DUE + 7 * DAY, DUE + DAY)
    assert mails(member.user) == ["membership_renews", "membership_declined", "membership_ended"]
    assert fresh(member).ended_reason == Membership.Reason.NOT_PAID


def test_a_tax_that_needs_an_address_is_refused_in_words(
    member: Any, bank: Bank, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    selector, american = get_class("partner.strategy", "Selector"), get_class("partner.strategy", "US")
    monkeypatch.setattr(selector, "strategy", lambda self, **kwargs: american())
    until(DUE)
    renewal = renewal_of(member)
    assert renewal.refusal == "The tax on this membership is not known without your address."
    assert (renewal.state, bank.asked, orders_of(member)) == (State.PAST_DUE, [], [])
    assert forecast(fresh(member), DUE) is None


def test_what_cannot_be_announced_is_noted_and_mended(member: Any, bank: Bank, at: Any, until: Any) -> None:
    set_price(member.plan, "30.00")
    member.plan.product.stockrecords.update(price=None)
    until(DUE - 5 * DAY)
    renewal = renewal_of(member)
    assert (renewal.announced_at, renewal.state) == (None, State.PLANNED)
    assert renewal.refusal == "The shop has no price for this membership at present."
    set_price(member.plan, "30.00")
    at(DUE - 4 * DAY)
    renewal.refresh_from_db()
    assert (renewal.refusal, renewal.next_attempt_at) == ("", DUE + 3 * DAY)
    until(DUE + 3 * DAY, DUE - 3 * DAY)
    assert fresh(member).ends_at == NEXT


def test_a_shop_that_mends_it_in_time_is_paid(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    member.plan.product.stockrecords.update(price=None)
    at(DUE)
    set_price(member.plan, "30.00")
    at(DUE + DAY)
    assert (bank.amounts, fresh(member).ends_at) == (["30.00"], NEXT)


def test_a_shop_whose_prices_fail_is_not_asked_with_every_sweep(
    member: Any, bank: Bank, at: Any, until: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    until(DUE - DAY)
    calls: list[Any] = []

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        raise ZeroDivisionError

    monkeypatch.setattr("oscar_integration.memberships.placing.price", broken)
    for minutes in range(0, 60, 5):
        at(DUE + timedelta(minutes=minutes))
    assert len(calls) == 1 and "ZeroDivisionError" in caplog.text
    assert not Basket.objects.filter(owner=member.user).exists()
    monkeypatch.undo()
    at(DUE + timedelta(hours=1))
    assert bank.amounts == ["30.00"]


# Nobody knows


def test_an_answer_that_never_came_is_asked_for_again_with_the_same_key(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    has_credit(member.user, "12.00")
    until(DUE - DAY)

    def cut(request: Any) -> None:
        raise TimeoutError

    bank.after = cut
    at(DUE)
    renewal = renewal_of(member)
    assert (renewal.state, renewal.attempt, orders_of(member)) == (State.CHARGING, 0, [])
    assert renewal.refusal == "It is not known yet whether the card was charged."
    at(DUE + LEASE - timedelta(seconds=1))
    assert len(bank.asked) == 1, "somebody may still be waiting for the answer"
    # Whatever changes in the meantime, it is the same again.
    set_price(member.plan, "50.00")
    at(DUE + LEASE + timedelta(minutes=1))
    assert len(bank.asked) == 2
    bank.after = lambda request: None
    at(DUE + 3 * LEASE)
    assert len({(request.key, request.amount, request.order_number) for request in bank.asked}) == 1
    assert bank.amounts == ["18.00"]
    (order,) = orders_of(member)
    assert (str(order.total_incl_tax), fresh(member).ends_at) == ("30.00", NEXT)
    assert order.number == renewal.order_number == renewal_of(member).order_number
    assert_audit_clean()


def test_a_worker_that_knew_it_as_due_leaves_it_alone_once_it_was_tried(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    """Its list is older than what another worker has done since."""
    decline(bank, member)
    until(DUE)
    renewal = renewal_of(member)
    renew(renewal.pk, now=DUE)
    assert (len(bank.asked), renewal_of(member).attempt) == (1, 1), "declined: not before the plan says so"

    def cut(request: Any) -> None:
        raise TimeoutError

    bank.after, bank.declines = cut, {}
    at(DUE + DAY)
    renew(renewal.pk, now=DUE + DAY)
    assert (len(bank.asked), renewal_of(member).state) == (2, State.CHARGING), (
        "not known: not before the lease"
    )


def test_the_access_goes_on_while_nobody_knows(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - DAY)

    def cut(request: Any) -> None:
        raise TimeoutError

    bank.before = cut
    for days in range(20):
        at(DUE + days * DAY)
        rewards.sweep(now=DUE + days * DAY)
        assert fresh(member).is_open(DUE + days * DAY + timedelta(hours=1))
    bank.before = lambda request: None
    at(DUE + 20 * DAY)
    assert fresh(member).ends_at == NEXT


def test_a_card_is_not_charged_inside_a_transaction(
    member: Any, bank: Bank, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar_integration.memberships import renewals

    monkeypatch.setattr(renewals, "_in_a_test", lambda: False)
    until(DUE)
    assert (bank.asked, renewal_of(member).state) == ([], State.CHARGING)
