"""A membership goes on by itself: planned, announced, charged, placed; credit pays first; a declined card ends it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from oscar.core.loading import get_model
from oscar.test import factories

from oscar_integration.memberships import announcing
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.renewals import Forecast, forecast, switch_renewal
from tests.books import assert_audit_clean
from tests.memberships import renewing
from tests.memberships.renewing import (
    DAY,
    DUE,
    NEXT,
    Bank,
    fresh,
    has_credit,
    join,
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
from tests.memberships.rows import NOW, make_plan, make_user
from tests.oscar_integration.paying import sources
from tests.oscar_integration.shopping import create_order, fill_basket, make_product, site_offer
from wagtail_referrals import credit, rewards

pytestmark = pytest.mark.django_db

D = Decimal
Basket = get_model("basket", "Basket")
State = Renewal.State


def test_it_is_announced_charged_and_goes_on_without_a_gap(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 8 * DAY - timedelta(minutes=1))
    assert mails(member.user) == []
    at(DUE - 8 * DAY)
    renewal = renewal_of(member)
    assert (renewal.state, renewal.announced_total) == (State.PLANNED, D("30.00"))
    assert mails(member.user) == ["membership_renews"]
    at(DUE - timedelta(seconds=1))
    assert bank.asked == []
    at(DUE + timedelta(minutes=3))
    renewal.refresh_from_db()
    assert renewal.state == State.DONE
    (order,) = orders_of(member)
    assert (order.number, str(order.total_incl_tax), order.status) == (renewal.order_number, "30.00", "Paid")
    (request,) = bank.asked
    assert (request.user, request.key, request.order_number) == (
        member.user,
        f"renewal:{renewal.pk}:0",
        order.number,
    )
    member.refresh_from_db()
    assert (member.state, member.ends_at) == (Membership.State.ACTIVE, NEXT)
    assert mails(member.user) == ["membership_renews", "membership_renewed"]
    period = member.periods.latest("pk")
    assert (period.kind, period.starts_at, period.order_number) == (Period.Kind.RENEWAL, DUE, order.number)
    at(DUE + timedelta(minutes=4))
    assert renewal_of(member).number == 2
    assert len(orders_of(member)) == 1


def test_a_shop_that_sweeps_once_a_day_charges_no_day_later(member: Any, bank: Bank, at: Any) -> None:
    """Whatever the time of its sweep: the customer was told in time for the day on which it is due."""
    night = DUE + timedelta(hours=14)
    for days in range(33, 0, -1):
        at(night - days * DAY)
    renewal = renewal_of(member)
    assert (renewal.next_attempt_at, mails(member.user)) == (DUE, ["membership_renews"])
    assert renewal.announced_at is not None
    assert 7 * DAY <= DUE - renewal.announced_at < 8 * DAY
    assert bank.asked == []
    at(night)
    assert renewal_of(member).state == State.DONE
    assert fresh(member).ends_at == NEXT


# Credit


def test_credit_pays_first_and_the_card_the_rest(member: Any, bank: Bank, until: Any) -> None:
    has_credit(member.user, "12.00")
    has_credit(member.user, "5.00", pays_renewals=False)
    until(DUE - 8 * DAY)
    announced = unwrapped(mail(member.user, "membership_renews"))
    assert "€12.00 is paid with your referral credit, €18.00 is charged to your card" in announced
    until(DUE)
    (order,) = orders_of(member)
    renewal = renewal_of(member)
    assert (renewal.total, renewal.credit, renewal.charge) == (D("30.00"), D("12.00"), D("18.00"))
    assert bank.amounts == ["18.00"]
    assert sources(order) == {"referral-credit": "12.00", "card": "18.00"}
    assert (str(order.total_incl_tax), str(order.total_excl_tax)) == ("30.00", "25.00"), (
        "credit is no discount"
    )
    assert left(member.user) == "5.00", "what is for the next order only"
    assert_audit_clean()


def test_credit_of_another_program_is_announced_to_pay_nothing(member: Any, until: Any) -> None:
    has_credit(member.user, "5.00", pays_renewals=False)
    until(DUE - 8 * DAY)
    assert "€30.00 is charged to your card" in unwrapped(mail(member.user, "membership_renews"))
    # Credit that came since pays, although it was not announced.
    has_credit(member.user, "12.00")
    until(DUE)
    assert renewal_of(member).credit == D("12.00")


def test_credit_that_pays_for_everything_asks_no_card(member: Any, bank: Bank, until: Any) -> None:
    has_credit(member.user, "40.00")
    bank.without_card.add(member.user.pk)
    until(DUE)
    (order,) = orders_of(member)
    assert (bank.asked, sources(order), left(member.user)) == ([], {"referral-credit": "30.00"}, "10.00")
    assert fresh(member).ends_at == NEXT
    text = mail(member.user, "membership_renewed").text
    assert "All of it was paid with your referral credit" in text
    assert_audit_clean()


def test_the_card_is_charged_the_minimum_at_least(member: Any, bank: Bank, until: Any) -> None:
    has_credit(member.user, "29.80")
    until(DUE)
    assert (bank.amounts, left(member.user)) == (["0.50"], "0.30")


def test_a_shop_that_takes_no_credit_at_checkout_takes_none_for_renewals(
    member: Any, bank: Bank, settings: Any, until: Any
) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": renewing.PATH, "CREDIT_AT_CHECKOUT": False}
    open_bank()
    has_credit(member.user, "12.00")
    until(DUE)
    assert (bank.amounts, left(member.user)) == (["30.00"], "12.00")


def test_credit_that_was_spent_since_the_announcement_is_charged(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    """Less credit, more card; the same total. Both mails say how it is paid."""
    has_credit(member.user, "12.00")
    until(DUE - 7 * DAY)
    assert "€12.00 is paid with your referral credit, €18.00 is charged to your card •••• 4242." in unwrapped(
        mail(member.user, "membership_renews")
    )
    credit.reserve(
        user=member.user, currency="EUR", amount=D(8), order_number="A", expires_at=DUE + DAY, now=DUE - DAY
    )
    at(DUE)
    assert bank.amounts == ["26.00"]
    assert (
        "€4.00 was paid with your referral credit, €26.00 was charged to your card •••• 4242."
        in unwrapped(mail(member.user, "membership_renewed"))
    )


def test_credit_taken_by_another_order_at_the_last_moment(
    member: Any, bank: Bank, monkeypatch: pytest.MonkeyPatch, at: Any, until: Any
) -> None:
    """Between reading what is there and setting it aside."""
    has_credit(member.user, "12.00")
    until(DUE - DAY)
    reserve, calls = rewards.reserve_for_renewal, []

    def too_late(**values: Any) -> Any:
        calls.append(values["amount"])
        if len(calls) == 1:
            credit.reserve(
                user=member.user,
                currency="EUR",
                amount=D(10),
                order_number="B",
                expires_at=DUE + DAY,
                now=DUE,
            )
        return reserve(**values)

    monkeypatch.setattr(rewards, "reserve_for_renewal", too_late)
    at(DUE)
    assert (calls, bank.amounts) == ([D("12.00"), D("2.00")], ["28.00"])


# Announcing


def test_a_higher_price_is_announced_again_and_nothing_more_is_charged(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    until(DUE - 7 * DAY)
    set_price(member.plan, "36.00")
    until(DUE + 6 * DAY, start=DUE)
    assert bank.asked == [], "the customer does not know it for long enough"
    assert mails(member.user) == ["membership_renews", "membership_renews"]
    assert "for €36.00 instead of €30.00" in unwrapped(mail(member.user, "membership_renews"))
    assert fresh(member).is_open(DUE + 6 * DAY) and fresh(member).state == Membership.State.ACTIVE
    at(DUE + 7 * DAY)
    assert bank.amounts == ["36.00"]
    assert fresh(member).ends_at == NEXT, "the days that were open are paid for"


def test_a_lower_price_is_charged(member: Any, bank: Bank, at: Any, until: Any) -> None:
    until(DUE - 7 * DAY)
    set_price(member.plan, "24.00")
    at(DUE)
    assert bank.amounts == ["24.00"]


def test_a_late_sweep_announces_first(member: Any, bank: Bank, at: Any) -> None:
    at(NOW)
    at(DUE + DAY)
    assert bank.asked == []
    assert mails(member.user) == ["membership_renews"]
    rewards.sweep(now=DUE + 7 * DAY)
    assert fresh(member).is_open(DUE + 7 * DAY), "not the customer's fault"
    at(DUE + 8 * DAY)
    assert bank.amounts == ["30.00"]
    assert fresh(member).ends_at == NEXT


def test_doors_that_were_closed_for_days_are_not_paid_for(
    member: Any, bank: Bank, at: Any, until: Any
) -> None:
    """No sweep came until the time of grace was over, and nobody noted the end."""
    until(DUE - 7 * DAY)
    at(DUE + 9 * DAY)
    assert bank.amounts == ["30.00"]
    assert fresh(member).ends_at == NEXT + 9 * DAY


def test_told_with_the_charge_where_the_plan_says_so(bank: Bank, at: Any, until: Any) -> None:
    member = make_member(plan=make_renewing_plan(announce_days=0))
    until(DUE - DAY)
    set_price(member.plan, "36.00")
    at(DUE)
    assert (bank.amounts, mails(member.user)) == (["36.00"], ["membership_renewed"])


def test_the_announcement_is_not_sent_once_it_is_no_longer_true(member: Any, bank: Bank, until: Any) -> None:
    until(DUE - 7 * DAY)
    assert announcing.is_due(message(member.user, "membership_renews"), DUE - 6 * DAY)
    switch_renewal(member.pk, False, DUE - 6 * DAY)
    assert not announcing.is_due(message(member.user, "membership_renews"), DUE - 6 * DAY)


# The order


def test_the_order_costs_what_the_checkout_would_ask(
    member: Any, bank: Bank, monthly: Plan, until: Any
) -> None:
    """With the shop's offers and taxes, and a record of both."""
    site_offer("Spring", "10", monthly.product)
    like = create_order(fill_basket(monthly.product, user=member.user), user=member.user, order_number="like")
    until(DUE)
    order = orders_of(member)[-1]

    def amounts(order: Any) -> list[str]:
        (line,) = order.lines.all()
        figures = [
            order.total_incl_tax,
            order.total_excl_tax,
            line.line_price_incl_tax,
            line.line_price_excl_tax,
        ]
        return [str(figure) for figure in (*figures, line.line_price_before_discounts_incl_tax)]

    assert amounts(order) == amounts(like) == ["27.00", "22.50", "27.00", "22.50", "30.00"]
    assert [str(discount.amount) for discount in order.discounts.all()] == ["3.00"]
    assert (order.shipping_code, order.status) == (like.shipping_code, "Paid")
    (event,) = order.payment_events.all()
    assert (event.event_type.code, str(event.amount)) == ("charged", "27.00")
    (source,) = order.sources.all()
    assert (str(source.amount_debited), source.label) == ("27.00", "•••• 4242")
    assert [str(transaction.amount) for transaction in source.transactions.all()] == ["27.00"]


def test_it_leaves_the_basket_alone_that_the_customer_fills(member: Any, bank: Bank, until: Any) -> None:
    mine = fill_basket(make_product("TEA", "9.00"), user=member.user)
    met: list[list[str]] = []
    bank.before = lambda request: met.append(
        sorted(Basket.objects.filter(owner=member.user).values_list("status", flat=True))
    )
    until(DUE)
    assert met == [["Frozen", "Open"]], "nothing of it can be merged into the one that the customer fills"
    mine.refresh_from_db()
    assert (mine.status, [line.product.upc for line in mine.lines.all()]) == ("Open", ["TEA"])
    assert Basket.objects.get(pk=orders_of(member)[0].basket_id).status == "Submitted"


def test_a_pipeline_without_a_step_to_paid_places_it_in_it(
    member: Any, bank: Bank, settings: Any, until: Any
) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"RENEWAL_CARDS": renewing.PATH, "PAID_STATUSES": ("Complete",)}
    open_bank()
    until(DUE)
    assert orders_of(member)[0].status == "Complete"
    assert fresh(member).ends_at == NEXT


def test_a_variant_is_renewed_as_it_was_bought(bank: Bank, until: Any) -> None:
    parent = factories.create_product(upc="P", structure="parent", product_class="By e-mail")
    parent.product_class.requires_shipping = False
    parent.product_class.save()
    variants = [factories.create_product(upc=upc, structure="child", parent=parent) for upc in ("AM", "PM")]
    for variant, price in zip(variants, ("20.00", "25.00"), strict=True):
        factories.create_stockrecord(variant, price=D(price), num_in_stock=9)
    make_plan(product=parent, renews=True)
    user = make_user("camille@example.com")
    order = create_order(fill_basket(variants[1], user=user), user=user)
    order.set_status("Paid")
    rewards.sweep(now=NOW + DAY)
    member = Membership.objects.get(user=user)
    until(DUE)
    assert bank.amounts == ["25.00"]
    assert orders_of(member)[-1].lines.get().product == variants[1]


def test_an_order_that_is_cancelled_gives_the_credit_back_and_takes_the_period(
    member: Any, bank: Bank, django_capture_on_commit_callbacks: Any, clock: Any, until: Any
) -> None:
    has_credit(member.user, "12.00")
    until(DUE)
    (order,) = orders_of(member)
    assert left(member.user) == "0.00"
    clock.move_to(DUE + timedelta(hours=1))
    with django_capture_on_commit_callbacks(execute=True):
        order.set_status("Cancelled")
    rewards.sweep(now=DUE + DAY)
    assert left(member.user) == "12.00"
    assert fresh(member).state == Membership.State.ENDED
    until(DUE + 9 * DAY, start=DUE + DAY)
    assert len(bank.asked) == 1, "the same end is paid once, or never"
    assert_audit_clean()


# Reading


def test_the_forecast_is_what_is_charged(member: Any, bank: Bank, monthly: Plan, until: Any) -> None:
    has_credit(member.user, "12.00")
    site_offer("Spring", "10", monthly.product)
    before = (Basket.objects.count(), Renewal.objects.count())
    found = forecast(fresh(member), NOW)
    assert found == Forecast(DUE, "EUR", D("27.00"), D("12.00"), D("15.00"), "•••• 4242", D("12.00"))
    assert (Basket.objects.count(), Renewal.objects.count()) == before, "nothing is left behind"
    until(DUE)
    renewal = renewal_of(member)
    assert (renewal.total, renewal.credit, renewal.charge) == (found.total, found.credit, found.charge)


def test_no_forecast_where_nothing_is_renewed(member: Any, bank: Bank, monthly: Plan) -> None:
    switch_renewal(member.pk, False, NOW)
    assert forecast(fresh(member), NOW) is None
    switch_renewal(member.pk, True, NOW)
    assert forecast(fresh(member), NOW) is not None
    member.plan.product.stockrecords.all().delete()
    assert forecast(fresh(member), NOW) is None
    once = make_member("lea@example.com", plan=make_renewing_plan("once", renews=False))
    assert forecast(once, NOW) is None


def test_what_a_forecast_costs(member: Any, bank: Bank) -> None:
    membership = fresh(member)
    forecast(membership, NOW)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        forecast(membership, NOW)
    assert len(queries) <= 25, [query["sql"] for query in queries]


def test_what_is_not_due_costs_the_same_whatever_there_is(monthly: Plan, bank: Bank, at: Any) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            at(NOW + DAY)
        return len(queries)

    make_member(plan=monthly)
    at(NOW)
    few = cost()
    for number in range(99):
        join(make_user(f"member{number}@example.com"), monthly)
    at(NOW)
    assert Renewal.objects.count() == 100
    assert cost() == few <= 6
