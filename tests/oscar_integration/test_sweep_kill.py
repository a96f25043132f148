"""Sweeps that die one after the other, each at a later step, leave what the next one completes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration import capture
from tests.books import LEDGER, assert_audit_clean
from tests.killing import in_a_process
from tests.oscar_integration.shopping import create_order, fill_basket, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
EACH = 5
TIMES = 50
Order = get_model("order", "Order")


def _broken(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("the process died, say")


def test_sweeps_killed_at_each_step(
    advocate: Any,
    camille: Any,
    make_customer: Any,
    france: Any,
    mat: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terms = make_program(
        [{"side": "advocate", "trigger": "first_purchase", "kind": "credit", "amounts": {"EUR": "15.00"}}],
        hold_days=0,
        hold_anchor="paid",
    )
    kind = get_model("payment", "SourceType").objects.create(name="Card", code="card")
    now = timezone.now()
    soon, later = now + timedelta(minutes=30), now + timedelta(hours=2)
    people: dict[str, list[Any]] = {}

    def person(what: str) -> Any:
        user = make_customer(f"{what}{len(people.setdefault(what, []))}@example.com")
        people[what].append(user)
        credit.grant(
            user=user,
            currency="EUR",
            amount=D(15),
            key=f"gift:{user.pk}",
            expires_at=soon if what == "expiring" else None,
        )
        return user

    def paid_with_credit(user: Any) -> Any:
        number = f"N{user.pk}"
        credit.reserve(user=user, currency="EUR", amount=D(12), order_number=number, expires_at=soon)
        order = create_order(fill_basket(mat, user=user), user=user, order_number=number)
        order.sources.create(source_type=kind, currency="EUR", amount_allocated=D(88))
        return order

    for number in range(EACH):
        # Its credit could not be spent.
        with monkeypatch.context() as patch:
            patch.setattr(capture, "_capture", _broken)
            paid_with_credit(person("unspent"))
        # Cancelled without a signal.
        order = paid_with_credit(person("cancelled"))
        Order.objects.filter(pk=order.pk).update(status="Cancelled")
        # Never attributed.
        user = person("missed")
        with monkeypatch.context() as patch:
            patch.setattr(rewards, "order_placed", _broken)
            create_order(claimed(advocate, terms, mat, user=user), user=user)
        # Paid without a signal: its reward is due.
        user = person("due")
        order = create_order(claimed(advocate, terms, mat, user=user), user=user)
        Order.objects.filter(pk=order.pk).update(status="Paid")
        person("expiring")
        user = person("left")
        credit.reserve(user=user, currency="EUR", amount=D(9), order_number=f"left{number}", expires_at=soon)

    died = in_a_process("tests.oscar_integration.dying_sweep", now=later.isoformat(), times=TIMES)
    assert len(died) > TIMES / 2
    assert_audit_clean(only=LEDGER)
    rewards.sweep(now=later)
    assert_audit_clean(now=later)

    def everywhere(what: str) -> set[Decimal]:
        return {credit.available(user, "EUR") for user in people[what]}

    assert [everywhere(what) for what in ("unspent", "cancelled", "expiring", "left")] == [
        {3},
        {15},
        {0},
        {15},
    ]
    assert not Reservation.objects.filter(state="active").exists()
    assert Purchase.objects.count() == 2 * EACH
    assert Reward.objects.filter(posted=15, revision=1).count() == EACH
    assert credit.available(camille, "EUR") == 15 * EACH
