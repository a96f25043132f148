"""The result depends on the final rows only: not on the order, the number or the timing of what a shop did.

Each example is done twice, from the same beginning: once with everything that our receivers, settlings and sweeps make
of it on the way; once with the same steps of the shop alone, and one settling at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import TestCase
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from oscar.apps.order.exceptions import InvalidLineStatus, InvalidOrderStatus, InvalidShippingEvent
from oscar.core.loading import get_class, get_model
from oscar.test import factories

from oscar_integration.triggers import BuysProductClass
from tests.books import assert_audit_clean
from tests.oscar_integration.shopping import create_order, fill_basket, make_product, make_program
from tests.oscar_integration.test_triggers import class_rule, range_rule
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, rewards
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward

pytestmark = pytest.mark.django_db

D = Decimal
DAY = timedelta(days=1)
START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
# After every step has had its time, and before the end of clawback and of the days to order.
END = START + 200 * DAY

Order = get_model("order", "Order")
STATUSES = ("Pending", "Paid", "Shipped", "Complete", "Cancelled", "Refunded")
UPCS = ("MAT", "STRAP", "CARD")

ALL = -1

numbers = st.integers(0, 2)
upcs = st.lists(st.sampled_from(UPCS), max_size=3, unique=True)
cents = st.integers(1, 20_000).map(lambda amount: D(amount) / 100)

shop_steps = st.one_of(
    st.tuples(st.just("status"), numbers, st.sampled_from(STATUSES)),
    st.tuples(st.just("written"), numbers, st.sampled_from(STATUSES)),
    st.tuples(st.just("updated"), numbers, st.sampled_from(STATUSES)),
    st.tuples(st.just("line"), numbers, st.sampled_from(UPCS), st.sampled_from(STATUSES)),
    st.tuples(st.just("paid"), numbers, cents),
    st.tuples(st.just("refund"), numbers, cents, upcs),
    st.tuples(st.just("source"), numbers, cents),
    st.tuples(st.just("sent"), numbers, upcs),
    st.tuples(st.just("cancel"), st.one_of(numbers, st.just(ALL))),
    st.tuples(st.just("revive"), st.one_of(numbers, st.just(ALL)), st.sampled_from(("Paid", "Complete"))),
    st.tuples(st.just("wait"), st.integers(1, 12)),
)
our_steps = st.one_of(
    st.tuples(st.just("settle")), st.tuples(st.just("sweep")), st.tuples(st.just("spend"), st.integers(1, 9))
)
histories = st.lists(st.one_of(shop_steps, shop_steps, our_steps), max_size=14)


class Undo(Exception):
    """Ends one way through an example: everything it wrote is rolled back."""


@contextmanager
def undone() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
            raise Undo
    except Undo:
        pass


class Shop:
    """Three orders of one friend, and what a shop may do to them."""

    def __init__(self, made: list[Any], camille: Any) -> None:
        self.ids = [order.pk for order in made]
        self.camille = camille
        self.spent = D(0)
        self.attempts = 0

    def order(self, number: int) -> Any:
        return Order.objects.get(pk=self.ids[number])

    def status(self, number: int, status: str) -> None:
        try:
            self.order(number).set_status(status)
        except InvalidOrderStatus:
            pass

    def written(self, number: int, status: str) -> None:
        order = self.order(number)
        order.status = status
        order.save()

    def updated(self, number: int, status: str) -> None:
        Order.objects.filter(pk=self.ids[number]).update(status=status)

    def line(self, number: int, upc: str, status: str) -> None:
        for line in self.order(number).lines.filter(upc=upc):
            try:
                line.set_status(status)
            except InvalidLineStatus:
                line.status = status
                line.save()

    def paid(self, number: int, amount: Decimal) -> None:
        self._pay(number, "Paid", amount, [])

    def refund(self, number: int, amount: Decimal, upcs: list[str]) -> None:
        self._pay(number, "Refund", amount, upcs)

    def _pay(self, number: int, name: str, amount: Decimal, upcs: list[str]) -> None:
        kind, _created = get_model("order", "PaymentEventType").objects.get_or_create(name=name)
        order = self.order(number)
        lines = list(order.lines.filter(upc__in=upcs))
        get_class("order.processing", "EventHandler")().create_payment_event(
            order, kind, amount, lines, [1] * len(lines)
        )

    def source(self, number: int, amount: Decimal) -> None:
        kind, _created = get_model("payment", "SourceType").objects.get_or_create(name="Card", code="card")
        order = self.order(number)
        found, _created = order.sources.get_or_create(
            source_type=kind, defaults={"amount_debited": order.total_incl_tax}
        )
        found.refund(amount)

    def sent(self, number: int, upcs: list[str]) -> None:
        kind, _created = get_model("order", "ShippingEventType").objects.get_or_create(name="Shipped")
        order = self.order(number)
        event = order.shipping_events.create(event_type=kind)
        for line in order.lines.filter(upc__in=upcs):
            try:
                event.line_quantities.create(line=line, quantity=line.quantity)
            except InvalidShippingEvent:
                # It has been sent before.
                pass

    def cancel(self, number: int) -> None:
        for each in range(3) if number == ALL else (number,):
            self.order(each).lines.update(status="Cancelled")
            self.written(each, "Cancelled")

    def revive(self, number: int, status: str) -> None:
        """It was cancelled by mistake."""
        for each in range(3) if number == ALL else (number,):
            self.order(each).lines.update(status=status)
            self.written(each, status)

    # What happens on our side meanwhile

    def settle(self) -> None:
        rewards.settle(Referral.objects.get().pk)

    def sweep(self) -> None:
        rewards.sweep()

    def spend(self, euros: int) -> None:
        amount = min(D(euros), credit.available(self.camille, "EUR"))
        if amount:
            self.attempts += 1
            reference = f"S{self.attempts}"
            credit.reserve(
                user=self.camille,
                currency="EUR",
                amount=amount,
                order_number=reference,
                expires_at=END + DAY,
            )
            credit.capture(order_number=reference)
            self.spent += amount


OURS = ("settle", "sweep", "spend")


def outcome(shop: Shop) -> dict[str, Any]:
    """All that anybody has or owes in the end."""
    found: dict[str, Any] = {}
    for reward in Reward.objects.filter(posted__gt=0).select_related("purchase"):
        occasion = reward.purchase.reference if reward.tier is None else reward.occasion
        found[f"reward {reward.rule_key} {reward.side} {occasion}"] = reward.posted
    for account in credit.accounts_of(shop.camille) + credit.accounts_of(shop.friend):  # type: ignore[attr-defined]
        spent = shop.spent if account.user_id == shop.camille.pk else D(0)
        found[f"balance of {account.user_id}"] = account.balance - account.shortfall + spent
    for grant in DiscountGrant.objects.filter(state__in=["issued", "used"]).select_related("reward"):
        key = (grant.rule_key, grant.issue if grant.reward is None else "reward")
        found[f"discount {key}"] = (grant.state, grant.used_reference)
    for row in Budget.objects.all():
        found[f"budget {row.currency}"] = (row.held, row.spent)
    referral = Referral.objects.get()
    found["referral"] = (referral.state, referral.spent)
    return {key: value for key, value in found.items() if value}


@pytest.fixture
def shop(advocate: Any, camille: Any, make_customer: Any, france: Any) -> Iterator[Shop]:
    mat, strap, card = (
        make_product("MAT", "100.00"),
        make_product("STRAP", "20.00"),
        make_product("CARD", "35.00", sent=False),
    )
    straps = factories.RangeFactory(name="Straps", products=[strap])
    rules = [
        {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": D(10)},
        {
            "side": "advocate",
            "trigger": "first_purchase",
            "kind": "credit",
            "amounts": {"EUR": "15.00"},
            "minimum_spend": {"EUR": "60.00"},
        },
        {"side": "advocate", "trigger": "every_purchase", "kind": "credit_percent", "percent": D(10)},
        range_rule(straps, "each", percent=D(20)),
        class_rule(card.get_product_class(), amounts={"EUR": "7.00"}, minimum_spend={"EUR": "20.00"}),
        {"side": "friend", "trigger": "every_purchase", "kind": "credit", "amounts": {"EUR": "2.00"}},
        {
            "side": "advocate",
            "trigger": "nth_referral",
            "occurrence": 1,
            "kind": "credit",
            "amounts": {"EUR": "30.00"},
        },
        {
            "side": "advocate",
            "trigger": "first_purchase",
            "kind": "discount_fixed",
            "amounts": {"EUR": "5.00"},
        },
    ]
    assert BuysProductClass.key in {rule["trigger"] for rule in rules}
    terms = make_program(
        rules,
        hold_days=7,
        window_days=400,
        clawback_days=400,
        friend_cap_count=2,
        budget_amounts={"EUR": "5000.00"},
        budget_count=100,
    )
    lea = make_customer("lea@example.com")
    with time_machine.travel(START, tick=False):
        made = [create_order(claimed(advocate, terms, mat, strap, strap, card, user=lea), user=lea)]
        made.append(create_order(fill_basket(strap, card, user=lea), user=lea))
        made.append(create_order(fill_basket(mat, strap, user=lea), user=lea))
        for order in made:
            Order.objects.filter(pk=order.pk).update(
                shipping_incl_tax=D("4.90"), shipping_code="home-delivery"
            )
        assert Referral.objects.get().purchases.count() == 3
        found = Shop(made, camille)
        found.friend = lea  # type: ignore[attr-defined]
        yield found


def go(shop: Shop, steps: list[Any], *, listening: bool) -> dict[str, Any]:
    """One way through the steps; the outcome after a last settling."""
    shop.spent, shop.attempts = D(0), 0
    with time_machine.travel(START, tick=False) as clock:
        now = START
        for name, *values in steps:
            now += timedelta(minutes=7)
            clock.move_to(now)
            if name == "wait":
                now += values[0] * DAY
                clock.move_to(now)
            elif name not in OURS:
                with TestCase.captureOnCommitCallbacks(execute=listening):
                    getattr(shop, name)(*values)
            elif listening:
                getattr(shop, name)(*values)
        clock.move_to(END)
        shop.settle()
        found = outcome(shop)
        if listening:
            assert_audit_clean()
            shop.settle()
            assert outcome(shop) == found, "once more changes nothing"
    return found


# The friend has the discount again after an order that never happened; not while it is there.
CANCELLED_TWICE = [("cancel", ALL), ("settle",), ("revive", 0, "Paid"), ("settle",), ("cancel", 0)]
# It was not that order which had the discount.
ANOTHER_CAME_BACK = [("cancel", ALL), ("settle",), ("revive", 1, "Paid")]


def test_any_history_ends_where_its_final_rows_say(shop: Shop) -> None:
    @settings(
        max_examples=settings.default.max_examples // 5,  # type: ignore[union-attr]
        deadline=None,
        # Each example takes a second: one that fails is short enough to read.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @example(steps=CANCELLED_TWICE)
    @example(steps=ANOTHER_CAME_BACK)
    @given(steps=histories)
    def holds(steps: list[Any]) -> None:
        found: list[dict[str, Any]] = []
        for listening in (True, False):
            with undone():
                found.append(go(shop, steps, listening=listening))
        assert found[0] == found[1]

    holds()
