"""Whatever happens in whatever order: declines, deaths between steps, refunds, other prices, a customer who switches.

Hypothesis looks for the order in which somebody pays twice, for nothing, or more than they were told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from oscar_integration.memberships import announcing, placing, renewals
from oscar_integration.memberships.models import Membership, Period, Renewal
from oscar_integration.memberships.renewals import LEASE, renew_due, switch_renewal
from oscar_integration.memberships.settle import settle, settle_due
from oscar_integration.refunds import return_credit_of_cancelled
from tests.books import LEDGER, assert_audit_clean
from tests.memberships.renewing import (
    DAY,
    Bank,
    fresh,
    has_credit,
    has_credit_like,
    join,
    make_renewing_plan,
    open_bank,
    orders_of,
    set_price,
)
from tests.memberships.rows import NOW, give, make_user
from wagtail_referrals import credit

D = Decimal
State = Renewal.State
RUNNING = (Membership.State.ACTIVE, Membership.State.PAST_DUE)
HOUR = timedelta(hours=1)


DEATHS = (
    "",
    "",
    "before the charge",
    "after the charge",
    "before the order",
    "after the order",
    "after the period",
    "before the refusal",
    "in the refusal",
    "in the dark",
)


deaths = st.sampled_from(DEATHS)
cards = st.sampled_from(["pays", "pays", "declines", "none"])


class Killed(BaseException):
    """The worker is gone: nothing of ours catches it, and what was not committed never was."""


class Studio(RuleBasedStateMachine):
    # What was met in all runs together.
    met: Counter[str] = Counter()
    patch: pytest.MonkeyPatch

    def __init__(self) -> None:
        super().__init__()
        self.undo = transaction.atomic()
        # As the transaction around a test, in which a commit is one although it is rolled back in the end.
        self.undo._from_testcase = True  # type: ignore[attr-defined]
        self.undo.__enter__()
        self.bank: Bank = open_bank()
        self.now = NOW
        self.death = ""
        self.numbers = 0
        self.plan = make_renewing_plan()
        self.reward = has_credit(make_user("first@example.com"), "12.00")
        self.user = make_user("camille@example.com")
        join(self.user, self.plan)
        has_credit_like(self.user, "12.00", self.reward)
        renew_due(self.now)
        self.bank.before = lambda request: self.die("before the charge")
        self.bank.after = lambda request: self.die("after the charge")
        self.dies(placing, "place", "before the order")
        self.dies(renewals, "add_period", "after the order")
        self.dies(renewals, "_refuse", "before the refusal")
        self.dies(announcing, "tell_refused", "in the refusal")
        self.dies(announcing, "tell_renewed", "after the period")

    @property
    def member(self) -> Membership:
        """The last one: who buys it when it has ended begins anew."""
        return Membership.objects.filter(user=self.user).latest("pk")

    def dies(self, module: Any, name: str, where: str) -> None:
        original: Callable[..., Any] = getattr(module, name)

        def work(*args: Any, **kwargs: Any) -> Any:
            self.die(where)
            return original(*args, **kwargs)

        self.patch.setattr(module, name, work)

    def die(self, where: str) -> None:
        if self.death == where:
            self.death = ""
            self.met[f"died {where}"] += 1
            raise Killed
        if self.death == "in the dark" and where == "after the charge":
            self.met["in the dark"] += 1
            raise TimeoutError

    def teardown(self) -> None:
        self.patch.undo()
        try:
            # In the end nothing is left half done.
            self.death = ""
            self.now += LEASE + HOUR
            self.sweep()
            assert not Renewal.objects.filter(state=State.CHARGING).exists()
            with_order = {str(order.number) for order in orders_of(self.member)}
            assert {request.order_number for request in self.bank.taken.values()} <= with_order
            self.nobody_is_wronged()
            self.met.update(f"renewal {state}" for state in Renewal.objects.values_list("state", flat=True))
            assert_audit_clean(only=LEDGER)
        finally:
            transaction.set_rollback(True)
            self.undo.__exit__(None, None, None)

    def sweep(self) -> None:
        try:
            renew_due(self.now)
        except Killed:
            return
        settle_due(self.now)

    # What happens

    @rule(hours=st.sampled_from([1, 13, 24, 24 * 3, 24 * 8, 24 * 24]), sweeps=st.booleans())
    def time_goes_by(self, hours: int, sweeps: bool) -> None:
        self.now += timedelta(hours=hours)
        if sweeps:
            self.sweep()

    @rule(death=deaths, card=cards)
    def it_is_due(self, death: str, card: str) -> None:
        """To the moment at which it is charged, by a worker that may die of it; and what it left, by the next one."""
        for what in ("announce", "charge", "take up"):
            renewal = self.member.renewals.filter(state__in=Renewal.OPEN).first()
            if renewal is None or renewal.next_attempt_at is None:
                self.sweep()
                continue
            if what == "announce" and renewal.announced_at is None:
                self.now = max(self.now, renewal.due_at - 7 * DAY)
            elif what == "charge":
                self.now = max(self.now, renewal.next_attempt_at)
                self.death = death
                self.bank.declines = {self.user.pk: "No."} if card == "declines" else {}
                self.bank.without_card = {self.user.pk} if card == "none" else set()
            self.sweep()

    @rule(death=deaths, card=cards)
    def it_is_due_again(self, death: str, card: str) -> None:
        self.it_is_due(death, card)

    @rule()
    def nobody_pays_any_more(self) -> None:
        for _attempt in range(6):
            self.it_is_due(death="", card="declines")

    @rule(price=st.sampled_from(["24.00", "30.00", "36.00"]))
    def the_price(self, price: str) -> None:
        set_price(self.plan, price)

    @rule(on=st.booleans())
    def the_customer_switches(self, on: bool) -> None:
        switch_renewal(self.member.pk, on, self.now)

    @rule()
    def the_customer_buys(self) -> None:
        give(self.user, self.plan, now=self.now, origin="order")

    @rule(amount=st.sampled_from(["3.00", "40.00"]))
    def a_friend_buys(self, amount: str) -> None:
        self.numbers += 1
        credit.grant(
            user=self.user,
            currency="EUR",
            amount=D(amount),
            key=f"gift:{self.numbers}",
            source=f"reward:{self.reward.pk}",
        )

    @rule(amount=st.sampled_from(["2.00", "20.00"]))
    def credit_is_spent_elsewhere(self, amount: str) -> None:
        self.numbers += 1
        spent = min(D(amount), credit.available(self.user, "EUR", now=self.now))
        if spent > 0:
            number = f"other-{self.numbers}"
            end = self.now + HOUR
            credit.reserve(
                user=self.user,
                currency="EUR",
                amount=spent,
                order_number=number,
                expires_at=end,
                now=self.now,
            )
            credit.capture(order_number=number, now=self.now)

    @precondition(lambda self: bool(orders_of(self.member)))
    @rule()
    def the_last_renewal_is_cancelled(self) -> None:
        order = orders_of(self.member)[-1]
        if order.status != "Cancelled":
            order.set_status("Cancelled")
            return_credit_of_cancelled(order)
            settle(self.member.pk, now=self.now)
            self.met["cancelled"] += 1

    # What always holds

    @invariant()
    def nobody_is_wronged(self) -> None:
        orders = {str(order.number): order for order in orders_of(self.member)}
        rows = list(Renewal.objects.all())
        done = {str(renewal.order_number): renewal for renewal in rows if renewal.state == State.DONE}
        assert orders.keys() == done.keys()
        taken = Counter(request.order_number for request in self.bank.taken.values())
        assert not [number for number, times in taken.items() if times > 1], "charged twice"
        amounts = {request.order_number: request.amount for request in self.bank.taken.values()}
        for number, renewal in done.items():
            order = orders[number]
            sources = {source.source_type.code: source.amount_debited for source in order.sources.all()}
            assert amounts.get(number, D(0)) == sources.get("card", D(0)) == renewal.charge
            assert sources.get("referral-credit", D(0)) == renewal.credit
            assert order.total_incl_tax == renewal.total == sum(sources.values(), D(0))
            assert renewal.announced_total is not None
            assert renewal.announced_at is not None and renewal.ended_at is not None
            assert order.total_incl_tax <= renewal.announced_total
            assert renewal.announced_at + 7 * DAY <= renewal.ended_at, "not told for long enough"
            assert Period.objects.filter(key=f"renewal:{renewal.pk}").count() == 1
        for renewal in rows:
            if str(renewal.order_number) in amounts and renewal.state != State.DONE:
                assert renewal.state == State.CHARGING, "charged, and forgotten"
        opened = Counter(renewal.membership_id for renewal in rows if renewal.is_open)
        ends = Counter((renewal.membership_id, renewal.due_at) for renewal in done.values())
        assert max([*opened.values(), *ends.values()], default=0) <= 1

    @invariant()
    def the_ledger_is_whole(self) -> None:
        account = credit.account_of(self.user, "EUR")
        assert account is not None and account.shortfall == 0
        charging = Renewal.objects.filter(state=State.CHARGING).first()
        assert account.reserved == (charging.credit if charging is not None else 0)

    @invariant()
    def who_is_charged_has_access(self) -> None:
        member = fresh(self.member)
        if member.state in RUNNING and member.ends_at is not None:
            assert member.access_until is not None and member.access_until >= member.ends_at


@pytest.mark.django_db
def test_no_order_of_events_wrongs_anybody(bank: Bank) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Studio.patch = patch
        Studio.met = Counter()
        run_state_machine_as_test(
            Studio,
            settings=settings(
                max_examples=settings.default.max_examples // 4,  # type: ignore[union-attr]
                stateful_step_count=20,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
            ),
        )
    wanted = {"in the dark", "cancelled", "renewal done", "renewal given_up", "renewal called_off"}
    assert wanted <= set(Studio.met), "what is never tried proves nothing"
    assert len([event for event in Studio.met if event.startswith("died")]) >= 4
