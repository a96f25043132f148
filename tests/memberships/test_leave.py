"""``manage.py referrals_leave`` in a shop with memberships."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from oscar_integration.memberships.leaving import Memberships
from oscar_integration.memberships.models import Membership, Renewal, Use
from oscar_integration.memberships.renewals import plan_renewals
from oscar_integration.memberships.uses import record_use
from tests.memberships.renewing import PATH, join, make_renewing_plan, open_bank
from tests.memberships.rows import give, make_plan, make_user
from tests.memberships.shopping import place

pytestmark = pytest.mark.django_db

Leave = Callable[..., tuple[int, str]]


@pytest.fixture
def bank(settings: Any) -> Any:
    settings.WAGTAIL_REFERRALS_OSCAR = {
        "RENEWAL_CARDS": PATH,
        "VOUCHERS": False,
        "CREDIT_AT_CHECKOUT": False,
    }
    return open_bank()


@pytest.fixture
def leave(bank: Any, tmp_path: Path) -> Leave:
    def run(*arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        try:
            call_command("referrals_leave", *arguments, stdout=out)
        except SystemExit as stop:
            return int(stop.code or 0), out.getvalue()
        return 0, out.getvalue()

    return run


@pytest.fixture
def group(db: None) -> Any:
    from django.contrib.auth.models import Group

    return Group.objects.create(name="Members")


@pytest.fixture
def members(clock: Any, lea: Any, group: Any, bank: Any) -> list[Membership]:
    """One that renews itself and is due, one with two uses left, one that has ended, a guest's."""
    monthly = make_renewing_plan(group=group)
    renewing = join(lea, monthly)
    passes = make_plan("ten", title="Ten visits", uses=3, period_length=90, period_unit="days", group=group)
    visiting = give(make_user("tom@example.com"), passes)
    ended = give(make_user("ada@example.com"), make_plan("day", period_length=1, period_unit="days"))
    place(monthly, email="guest@example.com")
    plan_renewals(timezone.now())
    clock.shift(timedelta(days=27))
    record_use(visiting, key="once", how=Use.How.CODE, by=None)
    return [renewing, visiting, ended]


def test_a_look_says_what_would_become_of_them(leave: Leave, members: Any) -> None:
    before = list(Membership.objects.values()), list(Renewal.objects.values())
    code, said = leave()
    assert code == 0, said
    for words in (
        "1 membership renews itself no more, and no card is charged for it.",
        "2 memberships run. They are in the file, with their last days",
        "1 membership waits for a guest to open an account.",
        "2 customers stay in the groups that memberships gave them.",
        "1 product that sells a membership goes on being sold, and opens none.",
    ):
        assert words in said
    assert "refers to our tables" not in said
    assert before == (list(Membership.objects.values()), list(Renewal.objects.values()))


def test_what_members_have_paid_for_is_written_down_and_no_card_is_charged(
    leave: Leave, members: Any, clock: Any, bank: Any, lea: Any, group: Any, tmp_path: Path
) -> None:
    clock.shift(timedelta(days=4, hours=-2))
    path = tmp_path / "owed.csv"
    code, said = leave("--yes", "--owed", str(path))
    assert code == 0 and "Memberships that renew themselves no more: 1." in said
    assert bank.asked == []
    with path.open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["kind"] == "membership"]
    renewing, visiting = (Membership.objects.get(pk=each.pk) for each in members[:2])
    assert [(line["customer"], line["words"], line["code"], line["until"]) for line in lines] == [
        (str(lea.pk), renewing.plan.title, renewing.code, "2026-04-10"),
        (str(visiting.user_id), "Ten visits, 2 uses left", visiting.code, "2026-06-08"),
    ]
    # What they have is theirs until then.
    assert renewing.state == "active" and not renewing.renews
    assert lea in group.user_set.all()
    # Again, later the same day: the file says the same.
    assert leave("--yes", "--owed", str(path))[0] == 0
    assert Renewal.objects.get().state == "called_off"


def test_a_charge_under_way_is_waited_for(leave: Leave, members: Any) -> None:
    Renewal.objects.update(state="charging", next_attempt_at=timezone.now() + timedelta(minutes=9))
    code, said = leave("--yes")
    assert code == 1 and "1 renewal is being charged, or it is not known yet whether it was." in said
    assert Membership.objects.filter(renews=True).exists()
    code, said = leave("--payments-over")
    assert code == 0, said


def test_tables_that_are_gone_already_are_in_no_way(
    members: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    step = Memberships()
    assert step.plan() and [line.kind for line in step.owed()]
    monkeypatch.setattr(connection.introspection, "table_names", lambda *args, **kwargs: ["auth_user"])
    with django_assert_num_queries(0):
        assert step.plan() == step.obstacles(payments_over=False) == []
        assert list(step.owed()) == []
        step.carry_out(lambda words: None)
