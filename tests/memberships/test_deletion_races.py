"""An account is deleted while an order of its customer is being made: both come to their end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import wraps
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.signals import pre_delete
from oscar.core.loading import get_model

from oscar_integration.memberships import opening, receivers, renewals
from oscar_integration.memberships.models import Membership, Renewal
from oscar_integration.memberships.renewals import renew_due
from oscar_integration.memberships.settle import settle
from tests.memberships.renewing import DAY, DUE, Bank, make_member, renewal_of
from tests.memberships.rows import NOW, give
from tests.memberships.shopping import make_sold_plan
from tests.oscar_integration.shopping import create_order, fill_basket
from tests.oscar_integration.test_checkout_credit_races import at_once
from wagtail_referrals import credit

User = get_user_model()
Order = get_model("order", "Order")

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="concurrency is proved on PostgreSQL"),
]


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(DUE, tick=True):
        yield


class Meeting:
    """One has made an order, and waits until the other one has begun to delete its customer, or waits to."""

    def __init__(self) -> None:
        self.ordered, self.deleting = threading.Event(), threading.Event()

    def before(self, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def met(*args: Any, **kwargs: Any) -> Any:
            self.ordered.set()
            self.deleting.wait(1)
            return work(*args, **kwargs)

        return met

    def delete(self, user: Any) -> None:
        """As the shop's office does it."""

        def arrived(**kwargs: Any) -> None:
            self.deleting.set()

        assert self.ordered.wait(30)
        pre_delete.connect(arrived, sender=User, weak=False, dispatch_uid="arrived")
        try:
            User.objects.get(pk=user.pk).delete()
        finally:
            pre_delete.disconnect(sender=User, dispatch_uid="arrived")


def test_while_its_renewal_is_ordered(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    member = make_member()
    renew_due(NOW)
    renew_due(DUE - 7 * DAY)
    meeting = Meeting()
    monkeypatch.setattr(renewals, "add_period", meeting.before(opening.add_period))
    results = at_once(lambda: renew_due(DUE), lambda: meeting.delete(member.user))
    assert results == [None, None]
    assert renewal_of(member).state == Renewal.State.DONE
    assert not User.objects.exists()
    assert (Membership.objects.get().user_id, Order.objects.get().user_id) == (None, None)


def test_while_an_order_is_one_transaction(france: Any, lea: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with ``ATOMIC_REQUESTS``."""
    plan = make_sold_plan(group=Group.objects.create(name="Members"))
    give(lea, plan, now=DUE)
    meeting = Meeting()
    monkeypatch.setattr(receivers, "open_for_order", meeting.before(opening.open_for_order))
    # Filled by the requests before.
    basket = fill_basket(user=lea)
    basket.add_product(plan.product)

    def order() -> None:
        with transaction.atomic():
            basket.freeze()
            create_order(basket, user=lea)

    assert at_once(order, lambda: meeting.delete(lea)) == [None, None]
    assert Membership.objects.get().periods.exclude(order_number="").count() == 1
    assert (Membership.objects.get().user_id, Order.objects.get().user_id) == (None, None)


def test_while_credit_and_a_membership_are_given(lea: Any) -> None:
    """Who gives both has the account, and wants the membership."""
    membership = give(lea, make_sold_plan(), now=DUE)
    credit.grant(user=lea, currency="EUR", amount=Decimal(5), key="gift", source="gift")
    meeting = Meeting()

    def both() -> None:
        with transaction.atomic():
            credit.lock_accounts([(lea, "EUR")])
            meeting.before(settle)(membership.pk, now=DUE)

    assert at_once(both, lambda: meeting.delete(lea)) == [None, None]
    assert not User.objects.filter(pk=lea.pk).exists()
