"""The audit of rewards, limits and budgets, in a shop without Oscar: each kind of corruption is found, and which."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.audit.tampering import change, problems
from tests.books import assert_audit_clean, audited
from tests.plainshop.models import Order
from tests.plainshop.test_chain import DAY, deliver, friend_orders
from wagtail_referrals import credit, rewards
from wagtail_referrals.credit import Entry, Lot
from wagtail_referrals.programs.models import Budget
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim

D = Decimal

RULES = [
    {"side": "friend", "trigger": "arrives", "kind": "discount_percent", "percent": D(10)},
    {
        "side": "advocate",
        "trigger": "first_purchase",
        "kind": "credit",
        "amounts": {"EUR": "15.00"},
        "expires_days": 90,
    },
    {
        "side": "advocate",
        "trigger": "nth_referral",
        "occurrence": 2,
        "kind": "discount_fixed",
        "amounts": {"EUR": "5.00"},
    },
]


@pytest.fixture
def later(now):
    return now + 15 * DAY


@pytest.fixture
def lived(advocate, make_program, basket, now, later) -> None:
    """Three friends have ordered; two orders were rewarded, and the third, past the cap, was not."""
    _, terms, _ = make_program(
        RULES, cap_count=2, budget_count=10, budget_amounts={"EUR": "500.00"}, clawback_days=60
    )
    for number in range(1, 4):
        moment = now + timedelta(hours=number)
        email = f"friend{number}@example.com"
        order = friend_orders(advocate, terms, basket, moment, number=f"no{number}", email=email)
        deliver(order, moment)
        rewards.sweep(now=moment)
    rewards.sweep(now=later)


def of(number: str) -> Referral:
    return Referral.objects.get(purchases__reference=number)


def reward_of(number: str, kind: str = "credit") -> Reward:
    return Reward.objects.get(referral=of(number), kind=kind)


def settled(referral: Referral, now: Any) -> None:
    """As if settle had just been there."""
    Referral.objects.filter(pk=referral.pk).update(next_check_at=now + timedelta(hours=20))


def test_a_healthy_program_gives_nothing(lived, later):
    assert [reward.posted for reward in Reward.objects.filter(kind="credit").order_by("pk")] == [15, 15, 0]
    assert Reward.objects.filter(tier=2, posted=1).count() == 1
    assert Budget.objects.filter(spent__gt=0).count() == 2
    assert_audit_clean(now=later)


def test_a_reward_that_says_more_than_was_posted(lived, later):
    reward = reward_of("no1")
    change(reward, posted=D("14.00"))
    change(reward.referral, spent={"": "1", "EUR": "24.00"})
    Budget.objects.filter(currency="EUR").update(spent=D("69.00") - 10)
    found = {row[0] for row in problems(now=later)}
    assert found >= {"reward_posted", "reward_owed"}


def test_a_reward_against_the_movements(lived, later):
    """The reward and its referral are what the terms say; the ledger is not."""
    entry = Entry.objects.get(key=f"reward:{reward_of('no1').pk}:1")
    credit.adjust(user=entry.account.user, currency="EUR", amount=D(1), key="x", now=later)
    stray = Entry.objects.get(key="x")
    change(stray, key=f"reward:{reward_of('no1').pk}:2")
    reward = reward_of("no1")
    change(reward, revision=2)
    (finding,) = audited(now=later)
    assert (finding.problem.key, finding.number, finding.expected, finding.found, finding.currency) == (
        "reward_posted",
        reward.pk,
        "16.00",
        "15.00",
        "EUR",
    )


def test_credit_for_a_reward_that_does_not_exist(lived, later, camille):
    for key in ("reward:9999:1", f"reward:{reward_of('no1').pk}:7", "reward:x:y"):
        credit.grant(user=camille, currency="EUR", amount=D(5), key=key, now=later)
    strays = Entry.objects.filter(amount=5).order_by("pk")
    assert problems(now=later) == sorted((("reward_unknown", "entry", entry.pk) for entry in strays), key=str)


def test_a_reward_in_the_account_of_somebody_else(lived, later, make_user):
    reward = reward_of("no1")
    change(reward, user=make_user("somebody"))
    assert problems(now=later) == [("reward_elsewhere", "reward", reward.pk)]


def test_what_was_forgiven_counts_as_taken_back(lived, later):
    """The credit expired unused, and then the order was given back: nothing is owed, and the books agree."""
    late = later + 20 * DAY
    Lot.objects.update(expires_at=late)
    credit.expire(now=late)
    Order.objects.filter(number="no1").update(refunded=D("90.00"))
    rewards.check_soon("no1", now=late)
    rewards.sweep(now=late)
    assert Entry.objects.filter(kind="forgiven").exists()
    assert reward_of("no1").posted == 0
    assert_audit_clean(now=late)


def test_an_order_that_says_something_else_than_was_handed_over(lived, later):
    """As seen by settle: a wrong verdict is found without asking when it was looked at."""
    purchase = Purchase.objects.get(reference="no1")
    change(purchase, observed=purchase.observed | {"cancelled": True})
    Order.objects.filter(number="no1").update(cancelled=True)
    keys = {row for row in problems(now=later) if row[0] == "reward_owed"}
    assert keys == {("reward_owed", "referral", purchase.referral_id)}


def test_an_order_that_changed_is_waited_for_and_then_found(lived, later):
    """Nobody told us: the sweep reads it within a day. If it is to look much later, or never, that is a finding."""
    Order.objects.filter(number="no1").update(refunded=D("90.00"))
    referral = of("no1")
    settled(referral, later)
    assert_audit_clean(now=later)
    change(referral, next_check_at=None)
    assert problems(now=later) == [("order_unseen", "referral", referral.pk)]
    change(referral, next_check_at=later + 3 * DAY)
    assert problems(now=later) == [("order_unseen", "referral", referral.pk)]


def test_what_the_sweep_has_not_looked_at(lived, later):
    referral = of("no1")
    change(referral, next_check_at=later - timedelta(hours=23))
    assert_audit_clean(now=later)
    change(referral, next_check_at=later - timedelta(hours=25))
    (finding,) = audited(now=later)
    assert (finding.problem.key, finding.number, finding.problem.overdue) == (
        "referral_overdue",
        referral.pk,
        True,
    )
    assert audited() == [], "without a moment nothing is late"


def test_a_reward_that_could_not_be_handed_over(lived, later):
    reward = reward_of("no3")
    change(reward, state=Reward.State.FAILED)
    assert problems(now=later) == [("reward_failed", "reward", reward.pk)]


def test_an_order_that_the_shop_has_deleted_is_no_error(lived, later):
    Order.objects.filter(number="no1").delete()
    assert_audit_clean(now=later)


def test_a_reward_past_the_cap(lived, later):
    reward = reward_of("no2")
    change(reward, slot=3)
    assert ("cap", "reward", reward.pk) in problems(now=later)
    assert ("cap", "advocate", reward.advocate_id) in problems(now=later), "and number 2 is missing"


def test_a_reward_without_a_place(lived, later):
    reward = reward_of("no2")
    change(reward, slot=None, slot_period="")
    # And so the third friend's order would have one.
    assert problems(now=later) == [("cap", "reward", reward.pk), ("reward_owed", "referral", of("no3").pk)]


def test_a_milestone_of_another_friend(lived, later):
    first, second = of("no1"), of("no2")
    change(first, ordinal=9)
    change(second, ordinal=1)
    change(first, ordinal=2)
    reward = Reward.objects.get(tier=2)
    found = problems(now=later)
    assert ("milestone", "reward", reward.pk) in found


def test_numbers_of_friends_with_a_gap(lived, later):
    third = of("no3")
    change(third, ordinal=4)
    assert problems(now=later) == [("milestone", "advocate", third.advocate_id)]


@pytest.mark.parametrize(("field", "currency"), [("spent", "EUR"), ("spent", ""), ("held", "EUR")])
def test_a_budget_that_was_changed(lived, later, field, currency):
    row = Budget.objects.get(currency=currency)
    change(row, **{field: getattr(row, field) + 1})
    assert problems(now=later) == [("budget", "program", str(row.program_key))]


def test_a_referral_that_counts_for_something_else(lived, later):
    referral = of("no1")
    change(referral, spent={"": "1", "EUR": "1.00"})
    assert {row[0] for row in problems(now=later)} == {"budget", "budget_of_referral"}


def test_an_invitation_that_holds_too_much(lived, later):
    claim = of("no1").claim
    change(claim, held={"EUR": "99.00"})
    row = Budget.objects.get(currency="EUR")
    change(row, held=row.held + 99)
    assert problems(now=later) == [("claim_held", "claim", claim.pk)]


def test_an_invitation_that_should_have_ended(lived, later):
    claim = of("no1").claim
    change(claim, state=Claim.State.OPEN, expires_at=later - timedelta(hours=23))
    assert_audit_clean(now=later)
    change(claim, expires_at=later - timedelta(hours=25))
    assert ("claim_overdue", "claim", claim.pk) in problems(now=later)


def test_a_discount_that_does_not_agree_with_its_reward(lived, later):
    reward = Reward.objects.get(tier=2)
    change(reward.discount, state=DiscountGrant.State.VOID)
    assert problems(now=later) == [("discount", "reward", reward.pk)]
    change(reward.discount, state=DiscountGrant.State.ISSUED)
    assert_audit_clean(now=later)
    change(reward_of("no1").referral.claim.discounts.get(), used_reference="")
    # Reports had counted what was saved with it.
    assert {row[:2] for row in problems(now=later)} == {("discount", "discount"), ("figure", "day")}


def test_its_queries_do_not_grow_with_the_referrals(lived, advocate, basket, later):
    terms = Referral.objects.first().terms

    def more_friends(*numbers: int) -> int:
        for number in numbers:
            email = f"friend{number}@example.com"
            friend_orders(advocate, terms, basket, later, number=f"no{number}", email=email)
        rewards.sweep(now=later)
        with CaptureQueriesContext(connection) as queries:
            assert_audit_clean(now=later)
        return len(queries)

    assert more_friends(4) == more_friends(5, 6, 7, 8)


def test_a_part_that_fails_is_said_and_the_others_are_done(lived, later, monkeypatch, caplog):
    from tests.plainshop.shop import PlainShop

    def broken(self, references):
        raise ConnectionError("the shop's computer is off")

    monkeypatch.setattr(PlainShop, "facts", broken)
    change(Budget.objects.get(currency=""), spent=99)
    assert {row[0] for row in problems(now=later)} == {"check_failed", "budget"}
    assert "could not be done" in caplog.text


def run_command(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("referrals_audit", *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def present(lived, later):
    """The command asks the clock."""
    import time_machine

    with time_machine.travel(later, tick=False):
        yield


@pytest.mark.usefixtures("present")
def test_the_command_says_that_everything_agrees():
    code, text = run_command()
    assert code == 0
    assert text.rstrip().endswith("Everything agrees.")
    assert "accounts: 1" in text
    assert "referrals: 3" in text


@pytest.mark.usefixtures("present")
def test_the_command_says_what_does_not_agree_and_what_to_do():
    account = credit.Account.objects.get()
    change(account, balance=D("35.50"))
    for entry in Entry.objects.filter(kind="grant"):
        change(entry.lot, amount=D("99.00"))
    code, text = run_command()
    assert code == 1
    assert "Accounts that are not the sum of their movements (1)" in text
    assert f"Account {account.pk}: the balance is €35.50, its movements say €30.00." in text
    assert "Credit of one grant that is not the sum of its movements (2)" in text
    assert text.count("What to do: ") == 2
    assert "3 things do not agree." in text
    assert "@" not in text
    assert "Camille" not in text


@pytest.mark.usefixtures("present")
def test_the_text_ends_where_nobody_reads_on():
    camille = credit.Account.objects.get().user
    for number in range(25):
        credit.grant(user=camille, currency="EUR", amount=D(1), key=f"reward:{number + 1000}:1")
    code, text = run_command()
    assert code == 1
    assert text.count("and there is no such reward") == 20
    assert "... and others: --json lists them all." in text
    assert len(json.loads(run_command("--json")[1])["findings"]) == 25


@pytest.mark.usefixtures("present")
def test_the_command_for_machines():
    code, text = run_command("--json")
    clean = json.loads(text)
    assert code == 0
    assert (clean["version"], clean["agrees"], clean["findings"], clean["found"]) == (1, True, [], {})
    assert clean["looked_at"]["movements"] == Entry.objects.count()
    assert clean["waiting_for_sweep"] == 0
    change(credit.Account.objects.get(), balance=D("35.50"))
    code, text = run_command("--json")
    broken = json.loads(text)
    assert code == 1
    assert broken["found"] == {"account_sums": 1}
    (finding,) = broken["findings"]
    assert finding == {
        "problem": "account_sums",
        "overdue": False,
        "about": "account",
        "number": credit.Account.objects.get().pk,
        "expected": "30.00",
        "found": "35.50",
        "currency": "EUR",
        "message": finding["message"],
    }


@pytest.mark.usefixtures("present")
def test_the_progress_bar_is_for_terminals():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for arguments, shown in (((), True), (("--no-progress",), False)):
        terminal = Terminal()
        call_command("referrals_audit", *arguments, stdout=io.StringIO(), stderr=terminal)
        assert ("100%" in terminal.getvalue()) == shown
    quiet = io.StringIO()
    call_command("referrals_audit", stdout=io.StringIO(), stderr=quiet)
    assert quiet.getvalue() == ""
