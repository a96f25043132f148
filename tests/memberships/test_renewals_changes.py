"""What changes while a renewal is under way: the customer's mind, their account, the shop's prices and tables."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from oscar.apps.order.signals import order_placed
from oscar.core.loading import get_model

from oscar_integration.memberships import placing, renewals
from oscar_integration.memberships.models import Membership, Period, Renewal
from oscar_integration.memberships.renewals import LEASE, SET_ASIDE, forecast, plan_renewals, switch_renewal
from oscar_integration.memberships.settle import settle
from tests.books import assert_audit_clean
from tests.memberships.renewing import (
    DAY,
    DUE,
    NEXT,
    Bank,
    fresh,
    has_credit,
    left,
    mails,
    message,
    orders_of,
    renewal_of,
    set_price,
)
from tests.memberships.rows import NOW, give
from tests.memberships.shopping import pay, place
from tests.oscar_integration.paying import sources
from tests.oscar_integration.shopping import make_product, site_offer
from wagtail_referrals import credit, rewards

pytestmark = pytest.mark.django_db

D = Decimal
State = Renewal.State
Basket = get_model("basket", "Basket")
MINUTE = timedelta(minutes=1)


# The customer's mind


def test_switched_off_it_ends_when_it_is_paid_until(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    found = switch_renewal(member.pk, False, DUE - 6 * DAY)
    assert found is not None
    assert (found.renews, found.access_until, found.state) == (False, DUE, Membership.State.ACTIVE)
    assert renewal_of(member).state == State.CALLED_OFF
    until(DUE + DAY, DUE - 5 * DAY)
    settle(member.pk, now=DUE + DAY)
    assert (bank.asked, fresh(member).ended_reason) == ([], Membership.Reason.RAN_OUT)
    assert switch_renewal(member.pk, True, DUE + 2 * DAY) is None, (
        "there is nothing any more that could go on"
    )


def test_who_changes_their_mind_twice_has_the_same_renewal(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    for on in (False, True, False, True, True):
        switch_renewal(member.pk, on, DUE - 6 * DAY)
    at(DUE - 5 * DAY)
    assert member.renewals.count() == 1
    assert mails(member.user) == ["membership_renews"], "it was told, and holds"
    at(DUE)
    assert fresh(member).ends_at == NEXT


def test_switched_on_again_after_the_announcement_was_missed(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    switch_renewal(member.pk, False, NOW)
    until(DUE - DAY)
    assert member.renewals.count() == 0
    switch_renewal(member.pk, True, DUE - DAY)
    at(DUE)
    assert (bank.asked, mails(member.user)) == ([], ["membership_renews"]), (
        "nothing is charged that was not told"
    )
    at(DUE + 7 * DAY)
    assert fresh(member).ends_at == NEXT


def test_switched_off_while_it_is_charged_it_is_the_last_one(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - DAY)
    bank.after = lambda request: switch_renewal(member.pk, False, DUE)
    at(DUE)
    found = fresh(member)
    assert (found.ends_at, found.renews, renewal_of(member).state) == (NEXT, False, State.DONE)
    at(DUE + DAY)
    assert member.renewals.count() == 1


def test_switched_off_while_it_is_past_due_it_ends_at_once(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    bank.declines[member.user.pk] = "No."
    until(DUE)
    found = switch_renewal(member.pk, False, DUE + timedelta(hours=1))
    assert found is not None and found.state == Membership.State.ENDED
    bank.declines.clear()
    at(DUE + DAY)
    assert (renewal_of(member).state, len(bank.asked)) == (State.CALLED_OFF, 1)


def test_what_changes_after_the_sweep_has_looked_counts(
    member: Any, bank: Bank, at: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(DUE - DAY)
    monkeypatch.setattr(renewals, "_stale", list)
    Membership.objects.filter(pk=member.pk).update(renews=False)
    at(DUE)
    assert (renewal_of(member).state, bank.asked) == (State.CALLED_OFF, [])


def test_an_editor_who_lets_the_plan_renew_no_more(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    type(member.plan).objects.filter(pk=member.plan_id).update(renews=False)
    at(DUE)
    assert (renewal_of(member).state, bank.asked) == (State.CALLED_OFF, [])


# More of it


def buy(member: Any, now: Any) -> None:
    """The customer buys another month."""
    give(member.user, member.plan, now=now, origin=Period.Origin.ORDER)


def test_who_buys_it_for_longer_is_told_and_charged_later(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    buy(member, DUE - 6 * DAY)
    at(DUE)
    renewal = renewal_of(member)
    assert (bank.asked, renewal.due_at, renewal.announced_at, renewal.number) == ([], NEXT, None, 1)
    until(NEXT, NEXT - 7 * DAY)
    assert mails(member.user) == ["membership_renews", "membership_renews", "membership_renewed"]
    assert fresh(member).ends_at == NEXT.replace(month=6)


def test_bought_while_past_due_it_is_not_charged_again(member: Any, bank: Bank, at: Any, until: Any) -> None:
    bank.declines[member.user.pk] = "No."
    until(DUE)
    buy(member, DUE + timedelta(hours=1))
    bank.declines.clear()
    at(DUE + DAY)
    at(DUE + 2 * DAY)
    assert len(bank.asked) == 1
    states = list(member.renewals.order_by("number").values_list("state", flat=True))
    assert states == [State.CALLED_OFF, State.PLANNED]
    assert fresh(member).state == Membership.State.ACTIVE


def test_bought_while_it_is_charged_both_are_the_customers(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - DAY)
    bank.after = lambda request: buy(member, DUE)
    at(DUE)
    assert fresh(member).ends_at == NEXT.replace(month=6)
    assert len(orders_of(member)) == 1


def test_an_order_of_the_customers_own_is_no_renewal(member: Any, bank: Bank, at: Any, until: Any) -> None:
    """And a renewal's order opens nothing beside its period."""
    order = pay(place(member.plan, user=member.user))
    rewards.sweep(now=NOW + DAY)
    until(NEXT, NEXT - 7 * DAY)
    renewed = orders_of(member)[-1]
    assert renewed.number != order.number
    assert Period.objects.filter(order_number=renewed.number).count() == 1


def test_what_ends_is_not_renewed(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    member.periods.update(taken_back_at=DUE - 3 * DAY, taken_back_reason=Membership.Reason.STAFF)
    settle(member.pk, now=DUE - 3 * DAY)
    at(DUE)
    assert (renewal_of(member).state, bank.asked) == (State.CALLED_OFF, [])
    assert mails(member.user) == ["membership_renews"]


# The account


def test_an_account_that_is_closed(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    get_user_model().objects.filter(pk=member.user.pk).update(is_active=False)
    at(DUE)
    assert (renewal_of(member).state, bank.asked) == (State.CALLED_OFF, [])


def test_an_account_that_is_deleted(
    member: Any, bank: Bank, at: Any, until: Any, django_capture_on_commit_callbacks: Any
) -> None:
    until(DUE - 7 * DAY)
    with django_capture_on_commit_callbacks(execute=True):
        get_user_model().objects.get(pk=member.user.pk).delete()
    at(DUE)
    assert (renewal_of(member).state, bank.asked) == (State.CALLED_OFF, [])


def test_an_account_that_is_deleted_while_nobody_knows(
    member: Any, bank: Bank, at: Any, until: Any, caplog: Any
) -> None:
    has_credit(member.user, "12.00")
    until(DUE - DAY)

    def cut(request: Any) -> None:
        raise TimeoutError

    bank.after = cut
    at(DUE)
    get_user_model().objects.get(pk=member.user.pk).delete()
    at(DUE + LEASE + MINUTE)
    at(DUE + 2 * LEASE)
    renewal = renewal_of(member)
    assert (renewal.state, len(bank.asked)) == (State.GIVEN_UP, 1)
    assert "give back what was taken" in renewal.refusal
    assert caplog.text.count("the account was deleted while its card was being charged") == 1


def test_an_account_that_is_deleted_while_the_card_is_charged(
    member: Any, bank: Bank, at: Any, until: Any, caplog: Any
) -> None:
    until(DUE - DAY)
    bank.after = lambda request: get_user_model().objects.get(pk=member.user.pk).delete()
    at(DUE)
    renewal = renewal_of(member)
    assert (renewal.state, renewal.charge_reference) == (State.GIVEN_UP, f"ch-renewal:{renewal.pk}:0")
    assert "give back what was taken" in caplog.text


# The shop, between the charge and the order


def dearer(member: Any) -> None:
    set_price(member.plan, "50.00")


def cheaper(member: Any) -> None:
    set_price(member.plan, "10.00")


def without_price(member: Any) -> None:
    member.plan.product.stockrecords.update(price=None)


def with_an_offer(member: Any) -> None:
    site_offer("Late", "50", member.plan.product)


def in_another_currency(member: Any) -> None:
    member.plan.product.stockrecords.update(price_currency="USD")


def sold_no_more(member: Any) -> None:
    type(member.plan).objects.update(product=None)


def without_its_basket(member: Any) -> None:
    Basket.objects.filter(owner=member.user).delete()


def without_its_basket_and_dearer(member: Any) -> None:
    without_its_basket(member)
    dearer(member)


@pytest.mark.parametrize(
    "change",
    [
        dearer,
        cheaper,
        without_price,
        with_an_offer,
        in_another_currency,
        sold_no_more,
        without_its_basket,
        without_its_basket_and_dearer,
    ],
)
def test_the_order_is_what_was_charged(change: Any, member: Any, bank: Bank, at: Any, until: Any) -> None:
    has_credit(member.user, "12.00")
    until(DUE - DAY)
    bank.after = lambda request: change(member)
    at(DUE)
    (order,) = orders_of(member)
    (line,) = order.lines.all()
    assert sources(order) == {"referral-credit": "12.00", "card": "18.00"}
    assert (order.currency, str(order.total_incl_tax), str(order.total_excl_tax)) == ("EUR", "30.00", "25.00")
    assert str(line.line_price_incl_tax) == "30.00"
    assert fresh(member).ends_at == NEXT
    assert_audit_clean(only=("ledger",))


def test_an_offer_that_ended_meanwhile_was_agreed(member: Any, bank: Bank, at: Any, until: Any) -> None:
    offer = site_offer("Spring", "10", member.plan.product)
    until(DUE - DAY)
    bank.after = lambda request: type(offer).objects.filter(pk=offer.pk).update(status="Suspended")
    at(DUE)
    (order,) = orders_of(member)
    assert (bank.amounts, str(order.total_incl_tax), str(order.total_excl_tax)) == (
        ["27.00"],
        "27.00",
        "22.50",
    )


def test_a_receiver_of_the_shop_that_fails_keeps_nobody_from_what_they_paid(
    member: Any, bank: Bank, until: Any, caplog: Any
) -> None:
    def fail(sender: Any, **kwargs: Any) -> None:
        raise LookupError("no request")

    order_placed.connect(fail)
    try:
        until(DUE)
    finally:
        order_placed.disconnect(fail)
    assert (renewal_of(member).state, len(orders_of(member))) == (State.DONE, 1)
    assert "a receiver failed" in caplog.text


def test_an_order_that_cannot_be_placed_yet_is_placed_later(
    member: Any, bank: Bank, at: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(DUE - DAY)

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(placing, "place", broken)
    at(DUE)
    assert (renewal_of(member).state, orders_of(member)) == (State.CHARGING, [])
    assert renewal_of(member).refusal == "It is paid, and the order could not be placed yet."
    monkeypatch.undo()
    at(DUE + LEASE + MINUTE)
    assert (len(bank.taken), len(orders_of(member)), fresh(member).ends_at) == (1, 1, NEXT)


def test_credit_that_expired_while_nobody_knew_is_a_shortfall(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    """The amounts were agreed and may be charged: the order stands, and staff see what lacks."""
    has_credit(member.user, "12.00")
    until(DUE - DAY)

    def cut(request: Any) -> None:
        raise TimeoutError

    bank.before = cut
    at(DUE)
    late = DUE + LEASE + SET_ASIDE + timedelta(minutes=1)
    credit.expire_reservations(now=late)
    credit.reserve(
        user=member.user, currency="EUR", amount=D(10), order_number="A", expires_at=late + DAY, now=late
    )
    bank.before = lambda request: None
    at(late)
    (order,) = orders_of(member)
    assert (bank.amounts, left(member.user)) == (["18.00"], "0.00")
    account = credit.account_of(member.user, "EUR")
    assert account is not None and (account.shortfall, account.reserved) == (D(10), D(10))
    assert str(order.total_incl_tax) == "30.00"


def test_credit_that_was_to_pay_everything_and_is_gone_leaves_it_to_the_card(
    member: Any, bank: Bank, at: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody was asked for money when the worker died: nothing is owed, and nothing is given away."""
    has_credit(member.user, "30.00")
    until(DUE - DAY)

    def die(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(renewals, "_finish", die)
        with pytest.raises(SystemExit):
            at(DUE)
    assert (renewal_of(member).state, renewal_of(member).rest) == (State.CHARGING, 0)
    late = DUE + LEASE + SET_ASIDE + timedelta(minutes=1)
    credit.expire_reservations(now=late)
    credit.reserve(
        user=member.user, currency="EUR", amount=D(25), order_number="A", expires_at=late + DAY, now=late
    )
    at(late)
    assert (renewal_of(member).state, orders_of(member)) == (State.PLANNED, [])
    assert fresh(member).is_open(late)
    at(late + MINUTE)
    (order,) = orders_of(member)
    assert (bank.amounts, credit.captured_amount(order.number)) == (["25.00"], D(5))
    account = credit.account_of(member.user, "EUR")
    assert account is not None and (account.shortfall, account.reserved) == (D(0), D(25))
    assert fresh(member).ends_at == NEXT


def test_a_worker_that_comes_back_too_late_with_credit_changes_nothing(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    """What it was to finish has begun anew, with the card."""
    until(DUE - DAY)
    bank.after = lambda request: renewals._finish(renewal_of(member).pk, None, DUE)
    at(DUE)
    (order,) = orders_of(member)
    assert [str(source.amount_debited) for source in order.sources.all()] == ["30.00"] == bank.amounts


def test_another_product_of_the_plan_is_announced_if_it_is_dearer(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    type(member.plan).objects.update(product=make_product("NEW", "33.00", sent=False))
    at(DUE)
    assert (bank.asked, message(member.user, "membership_renews").data["amount"]) == ([], "33.00")
    at(DUE + 7 * DAY)
    assert orders_of(member)[0].lines.get().product.upc == "NEW"


def test_a_renewal_of_another_currency_is_announced_anew(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    in_another_currency(member)
    at(DUE)
    assert (bank.asked, message(member.user, "membership_renews").data["currency"]) == ([], "USD")


def test_a_shop_with_surcharges(
    member: Any, bank: Bank, at: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oscar.apps.checkout.applicator import SurchargeApplicator
    from oscar.apps.checkout.surcharges import FlatCharge

    flat = FlatCharge(excl_tax=D("1.00"), incl_tax=D("1.20"))
    monkeypatch.setattr(SurchargeApplicator, "get_surcharges", lambda self, basket, **kwargs: (flat,))
    until(DUE)
    (order,) = orders_of(member)
    assert (bank.amounts, str(order.total_incl_tax), str(order.total_excl_tax)) == (
        ["31.20"],
        "31.20",
        "26.00",
    )
    assert [str(each.incl_tax) for each in order.surcharges.all()] == ["1.20"]


def test_a_plan_that_two_workers_plan_at_once_has_one_renewal(member: Any, bank: Bank) -> None:
    plan_renewals(NOW)
    Renewal.objects.bulk_create(
        [Renewal(membership=member, number=1, due_at=DUE, next_attempt_at=DUE, created_at=NOW)],
        ignore_conflicts=True,
    )
    plan_renewals(NOW)
    assert member.renewals.count() == 1
    assert forecast(fresh(member), NOW) is not None
