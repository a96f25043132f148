"""Customers are in a plan's group exactly while a membership of it opens doors, unless they were in it anyway."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from oscar_integration.memberships.groups import sync_all, sync_group
from oscar_integration.memberships.models import GroupGrant, Membership, Plan
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import settle
from tests.memberships.rows import NOW, give, make_plan, make_user

DAY = timedelta(days=1)


@pytest.fixture
def members(db: None) -> Group:
    return Group.objects.create(name="Members")


@pytest.fixture
def club(members: Group) -> Plan:
    return make_plan("club", group=members)


def groups_of(user: Any) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def end_of(membership: Membership) -> Any:
    assert membership.ends_at is not None
    return membership.ends_at


def test_from_the_beginning_to_the_end(lea: Any, club: Plan) -> None:
    membership = give(lea, club)
    assert groups_of(lea) == {"Members"}
    settle(membership.pk, now=end_of(membership) - timedelta(seconds=1))
    assert groups_of(lea) == {"Members"}
    settle(membership.pk, now=end_of(membership))
    assert groups_of(lea) == set()
    assert not GroupGrant.objects.exists()


def test_not_before_it_begins(lea: Any, club: Plan) -> None:
    membership = give(lea, club, counts_from=NOW + DAY)
    assert groups_of(lea) == set()
    settle(membership.pk, now=NOW + DAY)
    assert groups_of(lea) == {"Members"}


def test_out_when_it_is_taken_back(lea: Any, club: Plan) -> None:
    membership = give(lea, club)
    take_back(membership.periods.get(), Membership.Reason.STAFF, now=NOW + DAY)
    assert groups_of(lea) == set()


def test_who_was_in_it_before_stays(lea: Any, club: Plan, members: Group) -> None:
    lea.groups.add(members)
    membership = give(lea, club)
    assert not GroupGrant.objects.exists()
    settle(membership.pk, now=end_of(membership))
    assert groups_of(lea) == {"Members"}


def test_other_groups_and_other_people_are_left_alone(lea: Any, club: Plan) -> None:
    lea.groups.add(Group.objects.create(name="Teachers"))
    other = make_user("noe@example.com")
    give(other, club)
    membership = give(lea, club)
    assert groups_of(lea) == {"Members", "Teachers"}
    settle(membership.pk, now=end_of(membership))
    assert groups_of(lea) == {"Teachers"}
    assert groups_of(other) == {"Members"}


def test_while_any_of_two_plans_with_it_is_open(lea: Any, club: Plan, members: Group) -> None:
    short = give(lea, make_plan("week", group=members, period_length=7, period_unit="days"))
    long = give(lea, club)
    settle(short.pk, now=end_of(short))
    assert groups_of(lea) == {"Members"}
    settle(long.pk, now=end_of(long))
    assert groups_of(lea) == set()


def test_a_plan_without_a_group_costs_two_queries(
    lea: Any, club: Plan, django_assert_num_queries: Any
) -> None:
    give(lea, make_plan("plain"))
    with django_assert_num_queries(2):
        sync_group(lea.pk, now=NOW)


def test_who_is_gone_is_no_error(lea: Any, club: Plan) -> None:
    give(lea, club)
    gone = lea.pk
    lea.delete()
    sync_group(gone, now=NOW)
    assert sync_all(NOW) == 0


# What no membership said


def many(club: Plan, count: int) -> list[Any]:
    users = [make_user(f"member{number}@example.com") for number in range(count)]
    for user in users:
        give(user, club)
    return users


def everywhere(users: Iterable[Any]) -> list[set[str]]:
    return [groups_of(user) for user in users]


def test_the_plan_gets_another_group(lea: Any, club: Plan, members: Group) -> None:
    users = many(club, 3)
    lea.groups.add(members)
    give(lea, club)
    club.group = Group.objects.create(name="Studio")
    club.save()
    assert sync_all(NOW) == 4
    assert everywhere(users) == [{"Studio"}] * 3
    assert groups_of(lea) == {"Members", "Studio"}, "the first group was hers before"
    club.group = None
    club.save()
    assert sync_all(NOW) == 4
    assert everywhere(users) == [set()] * 3
    assert groups_of(lea) == {"Members"}
    assert not GroupGrant.objects.exists()


def test_one_who_was_taken_out_by_hand_comes_back(lea: Any, club: Plan, members: Group) -> None:
    membership = give(lea, club)
    lea.groups.clear()
    assert sync_all(NOW) == 1
    assert groups_of(lea) == {"Members"}
    settle(membership.pk, now=end_of(membership))
    assert groups_of(lea) == set()


def test_one_whose_time_is_over_goes_before_their_membership_was_settled(lea: Any, club: Plan) -> None:
    membership = give(lea, club)
    assert sync_all(end_of(membership)) == 1
    assert groups_of(lea) == set()


def test_a_group_that_was_deleted_concerns_nobody(lea: Any, club: Plan, members: Group) -> None:
    give(lea, club)
    members.delete()
    club.refresh_from_db()
    assert club.group_id is None
    assert not GroupGrant.objects.exists()
    assert sync_all(NOW) == 0


def test_many_cost_as_much_as_few(club: Plan, django_assert_max_num_queries: Any) -> None:
    users = many(club, 12)
    club.group = Group.objects.create(name="Studio")
    club.save()
    with django_assert_max_num_queries(15):
        assert sync_all(NOW) == 12
    assert everywhere(users) == [{"Studio"}] * 12
    with django_assert_max_num_queries(2):
        assert sync_all(NOW) == 0


def test_more_than_one_batch(club: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oscar_integration.memberships.groups._BATCH", 2)
    users = many(club, 5)
    club.group = Group.objects.create(name="Studio")
    club.save()
    assert sync_all(NOW) == 5
    assert everywhere(users) == [{"Studio"}] * 5


# Groups of staff


STAFF_RIGHTS = [("wagtailadmin", "access_admin"), ("partner", "dashboard_access")]


def right(app_label: str, codename: str) -> Permission:
    return Permission.objects.get(content_type__app_label=app_label, codename=codename)


@pytest.mark.parametrize("name", STAFF_RIGHTS)
def test_nobody_is_put_into_a_group_that_opens_the_administration(
    lea: Any, club: Plan, members: Group, name: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    members.permissions.add(right(*name))
    give(lea, club)
    assert groups_of(lea) == set()
    assert not GroupGrant.objects.exists()
    assert f"Group {members.pk} opens the administration" in caplog.text
    assert sync_all(NOW) == 0, "nobody is missing there"
    members.permissions.clear()
    assert sync_all(NOW) == 1
    assert groups_of(lea) == {"Members"}


def test_members_leave_a_group_that_gets_that_right_later(lea: Any, club: Plan, members: Group) -> None:
    editor = make_user("editor@example.com")
    editor.groups.add(members)
    give(editor, club)
    give(lea, club)
    members.permissions.add(right(*STAFF_RIGHTS[0]))
    assert sync_all(NOW) == 1
    assert (groups_of(lea), groups_of(editor)) == (set(), {"Members"})
    assert not GroupGrant.objects.exists()
    assert sync_all(NOW) == 0
