"""The editor's order of programs, and what the listing says of each."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.contenttypes.models import ContentType
from django.db import connection  # noqa: F401  (the condition of a mark reads it)
from django.test import Client
from django.urls import reverse
from wagtail.models import GroupApprovalTask, ModelLogEntry, Site, Workflow, WorkflowContentType, WorkflowTask

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import NOW, make_program, make_user
from tests.admin.test_program_form import ADD, EDIT, SENTENCE, publish, start
from tests.audiences import make_audience
from tests.oscar_integration.test_checkout_credit_races import at_once
from wagtail_referrals.programs import (
    ProgramState,
    forget_open_terms,
    move_program,
    open_terms,
    program_states,
)
from wagtail_referrals.programs.models import Program

pytestmark = pytest.mark.django_db

LIST = "wagtail_referrals_programs:list"


def move(client: Client, program: Program, position: Any) -> Any:
    url = reverse("wagtail_referrals_programs:reorder", args=[program.pk])
    return client.post(f"{url}?position={position}")


def order() -> list[str]:
    return list(Program.objects.order_by("precedence", "pk").values_list("name", flat=True))


@pytest.fixture
def programs(db: None) -> list[Program]:
    """As a shop had them that never looked at the numbers."""
    return [
        make_program(name="A"),
        make_program(name="B"),
        make_program(name="C", precedence=500),
        make_program(name="D", precedence=500),
    ]


@pytest.mark.parametrize(
    ("which", "position", "expected"),
    [
        (3, 0, "DABC"),
        (0, 3, "BCDA"),
        (1, 2, "ACBD"),
        (2, 1, "ACBD"),
        (1, 1, "ABCD"),
        (1, 99, "ACDB"),
        (1, -1, "BACD"),
        (1, "", "ACDB"),
        (1, "first", "ACDB"),
    ],
)
def test_a_program_is_moved_among_numbers_that_are_the_same(
    admin: Client, programs: list[Program], which: int, position: Any, expected: str
) -> None:
    assert move(admin, programs[which], position).json() == {"success": True}
    assert "".join(order()) == expected
    assert list(Program.objects.order_by("precedence").values_list("precedence", flat=True)) == [1, 2, 3, 4]
    assert ModelLogEntry.objects.filter(action="wagtail.reorder").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="concurrency is proved on PostgreSQL")
def test_two_who_drag_at_once_wait_for_each_other(programs: list[Program]) -> None:
    """Each of them moves the last one to the front: rows that are locked as they stand are locked crosswise."""
    ids = [program.pk for program in programs]

    def drag(number: int) -> None:
        for turn in range(12):
            move_program(ids[(number + turn) % 4], 0)

    assert at_once(*[partial(drag, number) for number in range(4)]) == [None] * 4
    assert sorted(order()) == ["A", "B", "C", "D"]
    assert sorted(Program.objects.values_list("precedence", flat=True)) == [1, 2, 3, 4]


def test_what_was_moved_first_is_offered_at_once(
    admin: Client, programs: list[Program], django_capture_on_commit_callbacks: Any
) -> None:
    assert next(offer.data.name for offer in open_terms(site_id=None)) == "A"
    with django_capture_on_commit_callbacks(execute=True):
        move(admin, programs[3], 0)
    assert [offer.data.name for offer in open_terms(site_id=None)] == ["D", "A", "B", "C"]


def test_a_draft_from_before_does_not_bring_the_old_order_back(
    admin: Client, programs: list[Program]
) -> None:
    edit = reverse(EDIT, args=[programs[3].pk])
    values = values_of(admin.get(edit).content.decode())
    assert admin.post(edit, values | {"name": "D2"}).status_code == 302
    move(admin, programs[3], 0)
    assert Program.objects.get(pk=programs[3].pk).get_latest_revision_as_object().precedence == 1
    programs[3].refresh_from_db()
    programs[3].get_latest_revision().publish()
    assert order() == ["D2", "A", "B", "C"]


def test_a_new_program_comes_last(admin: Client, programs: list[Program]) -> None:
    assert publish(admin, start(admin, name="New")).status_code == 302
    assert order()[-1] == "New"
    copy = reverse("wagtail_referrals_programs:copy", args=[programs[0].pk])
    values = values_of(admin.get(copy).content.decode())
    assert admin.post(copy, values).status_code == 302
    assert order()[-1] == "Copy of A"


def test_a_new_program_for_some_customers_comes_before_those_for_everybody(
    admin: Client, programs: list[Program]
) -> None:
    programs[0].audience = make_audience(("staff", {}), name="Some")
    programs[0].save()
    assert publish(admin, start(admin, "win_back")).status_code == 302
    assert order() == ["A", "Win-back", "B", "C", "D"]
    assert [offer.data.name for offer in open_terms(site_id=None)] == order()
    copy = reverse("wagtail_referrals_programs:copy", args=[programs[0].pk])
    admin.post(copy, values_of(admin.get(copy).content.decode()))
    assert order() == ["A", "Win-back", "Copy of A", "B", "C", "D"]


SHADOW = "“A” stands before this one and is for everybody"


def hints_of(client: Client, program: Program | None, **changes: str) -> str:
    """While it is being typed."""
    if program is None:
        url, values = reverse(SENTENCE), start(client)
    else:
        url = reverse(SENTENCE, args=[program.pk])
        values = values_of(client.get(reverse(EDIT, args=[program.pk])).content.decode())
    return " ".join(client.post(url, values | changes).json()["hints"])


def test_a_program_that_nobody_would_offer_is_said(admin: Client, programs: list[Program]) -> None:
    assert SHADOW in hints_of(admin, programs[1])
    assert SHADOW in hints_of(admin, None)
    assert SHADOW not in hints_of(admin, programs[0])
    assert SHADOW in admin.get(reverse(EDIT, args=[programs[3].pk])).content.decode()
    move(admin, programs[3], 0)
    forget_open_terms()
    programs[3].refresh_from_db()
    assert "stands before" not in hints_of(admin, programs[3])
    Program.objects.update(live=False)
    forget_open_terms()
    assert "stands before" not in hints_of(admin, programs[1])


def test_a_program_for_some_or_of_another_site_is_in_nobodys_way(admin: Client) -> None:
    site = Site.objects.get(is_default_site=True)
    make_program(name="Some", precedence=1, audience=make_audience(("staff", {})))
    make_program(name="There", precedence=2, site=site)
    last = make_program(name="Last", precedence=3)
    assert "stands before" not in hints_of(admin, last)
    assert "“There” stands before this one" in hints_of(admin, last, site=str(site.pk))


def test_only_who_publishes_changes_what_is_offered_first(programs: list[Program]) -> None:
    editor = signed_in(staff("e@example.com", "add_program", "change_program"))
    assert "w-orderable" not in editor.get(reverse(LIST)).content.decode()
    assert move(editor, programs[3], 0).status_code == 302
    assert order() == ["A", "B", "C", "D"]
    publisher = signed_in(staff("p@example.com", "change_program", "publish_program"))
    assert 'data-controller="w-orderable"' in publisher.get(reverse(LIST)).content.decode()
    assert move(publisher, programs[3], 0).status_code == 200
    assert publisher.get(reverse("wagtail_referrals_programs:reorder", args=[1])).status_code == 405


def test_what_a_search_finds_is_not_dragged(admin: Client, programs: list[Program]) -> None:
    assert "w-orderable" not in admin.get(reverse(LIST), {"q": "A"}).content.decode()


# What is to come


def details(client: Client) -> list[list[str]]:
    """Of each program, in their order."""
    soup = BeautifulSoup(client.get(reverse(LIST)).content, "html.parser")
    return [
        [item.get_text(strip=True) for item in row.select(".referral-details li")]
        for row in soup.select(".listing tbody tr")
    ]


def test_dates_and_drafts_are_said(admin: Client) -> None:
    make_program(name="Plain", precedence=1)
    make_program(name="Ends", precedence=2, expire_at=NOW + timedelta(days=30))
    changed = make_program(name="Changed", precedence=3)
    edit = reverse(EDIT, args=[changed.pk])
    values = values_of(admin.get(edit).content.decode())
    admin.post(edit, values | {"hold_days": "20"})
    found = details(admin)
    assert found == [[], ["ends on 12/10/2026 1 p.m."], ["has changes that are not published"]]


def test_what_waits_for_its_day_is_said(admin: Client) -> None:
    publish(admin, start(admin, name="Live"))
    edit = reverse(EDIT, args=[Program.objects.get().pk])
    values = values_of(admin.get(edit).content.decode())
    later = {"go_live_at": "2026-12-01 09:00", "action-publish": "1"}
    assert admin.post(edit, values | later).status_code == 302
    assert publish(admin, start(admin, name="New", go_live_at="2026-12-02 09:00")).status_code == 302
    assert details(admin) == [
        ["changes come on 12/01/2026 9 a.m.", "scheduled by Alix"],
        ["opens on 12/02/2026 9 a.m.", "scheduled by Alix"],
    ]


def test_a_draft_with_a_day_does_not_open_by_itself(admin: Client) -> None:
    """A day that was only saved opens nothing: publishing it does, on that day."""
    values = start(admin, name="New", go_live_at="2026-12-02 09:00")
    assert admin.post(reverse(ADD), values).status_code == 302
    draft = Program.objects.get()
    assert draft.go_live_at is not None
    assert details(admin) == [[]]
    publish(admin, start(admin, name="Other", go_live_at="2026-12-02 09:00"))
    other = Program.objects.get(name="Other")
    states = program_states([draft, other], now=NOW)
    assert states == {draft.pk: ProgramState.DRAFT, other.pk: ProgramState.SCHEDULED}


def test_a_review_is_said(admin: Client) -> None:
    workflow = Workflow.objects.create(name="Offers")
    task = GroupApprovalTask.objects.create(name="The owner")
    WorkflowTask.objects.create(workflow=workflow, task=task)
    WorkflowContentType.objects.create(
        workflow=workflow, content_type=ContentType.objects.get_for_model(Program)
    )
    assert admin.post(reverse(ADD), start(admin) | {"action-submit": "1"}).status_code == 302
    assert details(admin) == [["waits for approval: The owner"]]
    state = Program.objects.get().current_workflow_state
    state.current_task_state.specific.task.on_action(
        state.current_task_state, user=make_user("owner@example.com"), action_name="reject"
    )
    assert details(admin) == [["sent back: changes are wanted"]]
