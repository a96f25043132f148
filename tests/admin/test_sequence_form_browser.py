"""A sequence is put together step by step, in a real browser; its pages have no barrier and fit a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import translation
from playwright.sync_api import expect

from tests.admin.rows import ADMIN, NOW, make_user, reads
from tests.admin.test_browser import admin_page, audit, cut_off
from tests.messages.sequences import begin, make_sequence, make_template
from wagtail_referrals.messages.models import Enrollment, Sequence
from wagtail_referrals.messages.ready_made import ready_sequences, write_ready
from wagtail_referrals.messages.steps import plan_due

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

__all__ = ["admin_page"]

pytestmark = pytest.mark.django_db(transaction=True)

NAMESPACE = "wagtail_referrals_sequences"
BEGINS = "It begins when a friend has opened an account."
WELCOME = "At once: “Welcome”."
TIP = "2 days after it began, unless the reader has ordered as a friend: “Tip”."
THANKS = "Once its aim is reached: “Thanks”."
ENDS = "It is a success, and over, once the reader has ordered as a friend."


def lines_of(page: Page) -> Locator:
    return page.locator(".referral-sequence__lines li")


def hints_of(page: Page) -> Locator:
    return page.locator(".referral-sentence__hints li")


def step(page: Page, number: int) -> Locator:
    return page.locator(f"#inline_child_steps-{number}")


def publish(page: Page) -> None:
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()


def names_of(sequence: Sequence) -> list[str]:
    return [row.template.name for row in sequence.steps.order_by("sort_order")]


def test_steps_are_added_ordered_and_removed(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    for name in ("Welcome", "Tip", "Thanks"):
        make_template(name)
    page = admin_page
    page.goto(live_server.url + reverse(f"{NAMESPACE}:add") + "?empty=1")
    page.fill("[name=name]", "Friends")
    page.select_option("[name=start]", "friend_registered")
    page.select_option("[name=goal]", "ordered")
    expect(lines_of(page)).to_have_text([BEGINS, ENDS])
    expect(hints_of(page)).to_have_text(["There is no step yet: nothing would be sent."])

    add = page.get_by_role("button", name="Add step")
    for _each in range(3):
        add.click()
    page.select_option("[name=steps-0-template]", label="Welcome")
    page.fill("[name=steps-1-delay]", "2")
    page.select_option("[name=steps-1-condition]", "ordered")
    page.check("[name=steps-1-is_negated]")
    page.select_option("[name=steps-1-template]", label="Tip")
    page.select_option("[name=steps-2-moment]", "goal")
    page.select_option("[name=steps-2-template]", label="Thanks")
    expect(lines_of(page)).to_have_text([BEGINS, WELCOME, TIP, THANKS, ENDS])
    expect(hints_of(page)).to_have_count(0)

    # The sentences follow what is moved and removed, without anything being typed.
    step(page, 2).get_by_role("button", name="Move up").click()
    expect(lines_of(page)).to_have_text([BEGINS, WELCOME, THANKS, TIP, ENDS])
    step(page, 2).get_by_role("button", name="Move down").click()
    expect(lines_of(page)).to_have_text([BEGINS, WELCOME, TIP, THANKS, ENDS])
    step(page, 0).get_by_role("button", name="Delete").click()
    expect(lines_of(page)).to_have_text([BEGINS, TIP, THANKS, ENDS])

    publish(page)
    page.get_by_text("published").first.wait_for()
    sequence = Sequence.objects.get()
    assert sequence.live and names_of(sequence) == ["Tip", "Thanks"]
    keys = dict(sequence.steps.values_list("template__name", "key"))

    page.goto(live_server.url + reverse(f"{NAMESPACE}:edit", args=[sequence.pk]))
    expect(lines_of(page)).to_have_text([BEGINS, TIP, THANKS, ENDS])
    step(page, 1).get_by_role("button", name="Move up").click()
    page.get_by_role("button", name="Add step").click()
    page.select_option("[name=steps-2-moment]", "previous")
    page.select_option("[name=steps-2-template]", label="Welcome")
    expect(lines_of(page)).to_have_text([BEGINS, THANKS, TIP, "Along with the step before: “Welcome”.", ENDS])
    publish(page)
    page.get_by_text("published").first.wait_for()
    sequence.refresh_from_db()
    assert names_of(sequence) == ["Thanks", "Tip", "Welcome"]
    after = dict(sequence.steps.values_list("template__name", "key"))
    assert keys.items() <= after.items(), "a step that was moved is the same one: nobody is sent it again"
    browser_problems.assert_none()


def test_what_is_missing_is_said_at_its_step(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    make_template("Welcome")
    page = admin_page
    page.goto(live_server.url + reverse(f"{NAMESPACE}:add") + "?empty=1")
    page.fill("[name=name]", "Friends")
    page.select_option("[name=start]", "friend_registered")
    add = page.get_by_role("button", name="Add step")
    add.click()
    add.click()
    page.select_option("[name=steps-0-template]", label="Welcome")
    page.fill("[name=steps-1-delay]", "3")
    publish(page)
    expect(step(page, 1).locator(".error-message")).to_have_count(1)
    expect(step(page, 0).locator(".error-message")).to_have_count(0)
    # What was typed is still there, in words too.
    expect(page.locator("[name=steps-1-delay]")).to_have_value("3")
    expect(lines_of(page)).to_have_text([BEGINS, WELCOME, "3 days after it began: “(no message yet)”."])
    assert not Sequence.objects.exists()
    page.select_option("[name=steps-1-template]", label="Welcome")
    expect(lines_of(page).last).to_have_text("3 days after it began: “Welcome”.")
    publish(page)
    page.get_by_text("published").first.wait_for()
    assert Sequence.objects.get().steps.count() == 2
    browser_problems.assert_none()


def test_a_ready_made_one_is_looked_at_and_tried(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    page.goto(live_server.url + reverse(f"{NAMESPACE}:add"))
    page.get_by_role("button", name="Start from this one").first.click()
    page.get_by_text("is there as a draft, with 5 messages").wait_for()
    expect(lines_of(page).first).to_have_text(
        "It begins when a reward has given somebody a pass or a membership."
    )
    assert hints_of(page).count() == 6
    page.get_by_role("button", name="Actions", exact=True).click()
    page.get_by_role("link", name="What would be sent").click()
    page.get_by_role("heading", name="Nothing happens").wait_for()
    assert page.locator(".referral-sequence__branch").count() == 3
    browser_problems.assert_none()


@pytest.fixture
def running(transactional_db: None) -> tuple[Sequence, Sequence]:
    """The ready-made one as a draft, with all that there is to say of it; and one with people on their way."""
    draft = write_ready(next(iter(ready_sequences)).key)
    sequence = make_sequence(
        {"name": "Welcome to the studio, and what to bring for the first visit"},
        {"name": "Tip", "delay": 2, "condition": "ordered", "is_negated": True},
        goal="has_shared",
        stops=["reward_given"],
        first_published_at=NOW,
    )
    for number in range(3):
        begin(sequence, make_user(f"friend{number}@example.com"), now=NOW)
    plan_due(now=NOW)
    over = {"next_at": None, "waits_for": None, "ended_at": NOW + timedelta(days=1)}
    first = Enrollment.objects.order_by("pk").values_list("pk", flat=True)[0]
    Enrollment.objects.filter(pk=first).update(state="stopped", reason="reward_given", **over)
    return draft, sequence


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pages_have_no_barrier_and_fit(
    language: str,
    width: int,
    admin_page: Page,
    running: tuple[Sequence, Sequence],
    live_server: Any,
    browser_problems: Any,
) -> None:
    draft, sequence = running
    reads(ADMIN, language)
    with translation.override(language):
        unfinished = write_ready(next(iter(ready_sequences)).key)
    page = admin_page
    page.set_viewport_size({"width": width, "height": 800})
    faults = []
    for name, args, query in (
        ("list", [], ""),
        ("add", [], ""),
        ("add", [], "?empty=1"),
        ("edit", [draft.pk], ""),
        ("edit", [unfinished.pk], ""),
        ("edit", [sequence.pk], ""),
        ("preview", [unfinished.pk], ""),
        ("preview", [sequence.pk], ""),
        ("people", [draft.pk], ""),
        ("people", [sequence.pk], ""),
    ):
        address = reverse(f"{NAMESPACE}:{name}", args=args) + query
        page.goto(live_server.url + address)
        faults += [f"{address}: {fault}" for fault in (*audit(page), *cut_off(page))]
        wider = page.evaluate("document.documentElement.scrollWidth") - width
        faults += [f"{address}: {wider} px too wide"] if wider > 0 else []
    assert not faults, "\n".join(faults)
    browser_problems.assert_none()
