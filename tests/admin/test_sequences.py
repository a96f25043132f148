"""Sequences in the admin: form, hints, ready-made ones, what would be sent, and who is where."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from wagtail.models import Revision, Site

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import NOW, make_advocate, make_purchase, make_referral, make_user
from tests.messages.sequences import begin, make_sequence, make_template
from wagtail_referrals.messages.models import Enrollment, Message, Sequence, SequenceStep
from wagtail_referrals.messages.sequence_counts import counts_of
from wagtail_referrals.messages.sequence_words import lines, problems
from wagtail_referrals.messages.steps import plan_due
from wagtail_referrals.programs.models import Terms

pytestmark = pytest.mark.django_db

NAMESPACE = "wagtail_referrals_sequences"
DAY = timedelta(days=1)


def text_of(response: Any) -> str:
    return " ".join(BeautifulSoup(response.content, "html.parser").get_text(" ").split())


def hints(*steps: dict[str, Any], **values: Any) -> str:
    sequence = make_sequence(*steps, **values)
    return "\n".join(problems(sequence, list(sequence.steps.select_related("template"))))


# In words


def test_it_reads_like_sentences() -> None:
    sequence = make_sequence(
        {"name": "Welcome"},
        {"name": "Tip", "delay": 2, "condition": "pass_used", "is_negated": True},
        {"name": "Hurry", "delay": 12, "unit": "hours", "moment": "pass_ends", "condition": "opened_nothing"},
        {"name": "Also", "moment": "previous"},
        {"name": "Thanks", "moment": "goal"},
        start="pass_given",
        goal="has_membership",
        stops=["pass_ended"],
    )
    assert lines(sequence, list(sequence.steps.all())) == [
        "It begins when a reward has given somebody a pass or a membership.",
        "At once: “Welcome”.",
        "2 days after it began, unless the reader has used the pass: “Tip”.",
        "12 hours before the pass ends, if the reader has followed no link in these messages: “Hurry”.",
        "Along with the step before: “Also”.",
        "Once its aim is reached: “Thanks”.",
        "It is a success, and over, once the reader has bought a membership.",
        "It ends without success once the reader has a pass that is over.",
    ]
    assert problems(sequence, list(sequence.steps.all())) == []


@pytest.mark.parametrize(
    ("steps", "values", "expected"),
    [
        ([], {}, "There is no step yet"),
        ([{"name": "A"}], {"goal": "registered"}, "Its aim is reached by everybody from the start"),
        ([{"name": "A"}], {"goal": "opened_nothing"}, "Its aim is reached by everybody from the start"),
        ([{"name": "A"}], {"stops": ["registered"]}, "Everybody is stopped at the start"),
        ([{"name": "A"}], {"goal": "ordered", "stops": ["ordered"]}, "cannot end it without success too"),
        ([{"name": "A", "moment": "goal"}], {}, "the sequence has no aim"),
        (
            [{"name": "A", "delay": 2, "moment": "pass_ends"}],
            {},
            "“2 days before the pass ends” is sent to those only who have such a day",
        ),
        ([{"name": "A", "moment": "pass_ends"}], {"start": "pass_given"}, "say how long before"),
        ([{"name": "A", "condition": "ordered"}], {"goal": "ordered"}, "the sequence is over"),
        (
            [{"name": "A", "condition": "registered", "is_negated": True}],
            {},
            "everybody has an account from the start",
        ),
        ([{"name": "A", "condition": "gone"}], {}, "A condition is not there any more"),
        ([{"name": "A", "moment": "gone"}], {}, "A moment is not there any more"),
        ([{"name": "A"}], {"start": "gone"}, "nobody begins it"),
        ([{"name": "A"}], {"goal": "gone"}, "nothing is sent until you choose another"),
    ],
)
def test_what_cannot_work_is_said(steps: Any, values: Any, expected: str) -> None:
    assert expected in hints(*steps, **values)


def test_messages_that_cannot_be_sent_are_named() -> None:
    sequence = make_sequence({"name": "Welcome"})
    template = sequence.steps.get().template
    assert problems(sequence, list(sequence.steps.all())) == []
    template.live = False
    template.save()
    text = template.texts.get()
    text.subject = "Use [CODE]"
    text.save()
    found = problems(sequence, list(sequence.steps.select_related("template")))
    assert found == [
        "The message “Welcome” is not published: it is not sent.",
        "In the message “Welcome” you still have to put something in the place of [CODE].",
    ]


# The form


def form_of(client: Client, url: str) -> dict[str, Any]:
    response = client.get(url)
    assert response.status_code == 200, response
    return values_of(response.content.decode())


def filled(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    template = make_template("Welcome")
    step = {
        "steps-TOTAL_FORMS": "1",
        "steps-0-delay": "2",
        "steps-0-unit": "days",
        "steps-0-moment": "start",
        "steps-0-condition": "ordered",
        "steps-0-is_negated": "on",
        "steps-0-template": str(template.pk),
        "steps-0-ORDER": "1",
        "steps-0-id": "",
        "steps-0-DELETE": "",
    }
    return {
        **values,
        "name": "Friends",
        "start": "friend_registered",
        "goal": "ordered",
        "stops": ["has_shared", "reward_given"],
        **step,
        **changes,
    }


def test_a_sequence_is_written_published_and_changed(admin: Client) -> None:
    add = reverse(f"{NAMESPACE}:add")
    values = filled(form_of(admin, f"{add}?empty=1"), **{"action-publish": "1"})
    response = admin.post(add, values)
    assert response.status_code == 302, text_of(response)
    sequence = Sequence.objects.get()
    assert sequence.live and sequence.first_published_at is not None
    assert (sequence.goal, sequence.stops) == ("ordered", ["has_shared", "reward_given"])
    step = sequence.steps.get()
    assert (step.delay, step.moment, step.condition, step.is_negated) == (2, "start", "ordered", True)
    edit = reverse(f"{NAMESPACE}:edit", args=[sequence.pk])
    again = form_of(admin, edit) | {"stops": ["reward_given"], "steps-0-delay": "3", "action-publish": "1"}
    assert admin.post(edit, again).status_code == 302
    sequence.refresh_from_db()
    assert sequence.stops == ["reward_given"]
    changed = sequence.steps.get()
    assert (changed.delay, changed.key) == (3, step.key), "the step is the same one"


def test_the_form_offers_messages_for_steps_only(admin: Client) -> None:
    make_template("For a step")
    other = make_template("Another kind")
    type(other).objects.filter(pk=other.pk).update(kind="reward_given")
    page = admin.get(reverse(f"{NAMESPACE}:add") + "?empty=1").content.decode()
    assert "For a step" in page and "Another kind" not in page


def test_what_is_typed_is_answered_in_words(admin: Client) -> None:
    values = filled(form_of(admin, reverse(f"{NAMESPACE}:add") + "?empty=1"), goal="registered")
    answer = admin.post(reverse(f"{NAMESPACE}:words"), values).json()
    assert (
        answer["lines"][1] == "2 days after it began, unless the reader has ordered as a friend: “Welcome”."
    )
    assert any("reached by everybody" in hint for hint in answer["hints"])
    assert admin.post(reverse(f"{NAMESPACE}:words"), {"name": "x"}).status_code == 400
    unfinished = filled(values, start="", **{"steps-0-template": "", "steps-0-delay": ""})
    answer = admin.post(reverse(f"{NAMESPACE}:words"), unfinished).json()
    assert any("(no message yet)" in line for line in answer["lines"])


def test_one_starts_from_a_ready_made_one(admin: Client) -> None:
    add = reverse(f"{NAMESPACE}:add")
    assert "Turn referrals into members" in text_of(admin.get(add))
    start = reverse(f"{NAMESPACE}:start", args=["friends_to_members"])
    assert admin.get(start).status_code == 405
    response = admin.post(start)
    sequence = Sequence.objects.get()
    assert response["Location"] == reverse(f"{NAMESPACE}:edit", args=[sequence.pk])
    assert not sequence.live and sequence.steps.count() == 5
    page = text_of(admin.get(response["Location"]))
    assert "is not published: it is not sent" in page and "[CODE]" in page
    assert admin.post(reverse(f"{NAMESPACE}:start", args=["unknown"])).status_code == 400


# What would be sent


def test_each_branch_is_shown_day_by_day(admin: Client) -> None:
    admin.post(reverse(f"{NAMESPACE}:start", args=["friends_to_members"]))
    sequence = Sequence.objects.get()
    soup = BeautifulSoup(
        admin.get(reverse(f"{NAMESPACE}:preview", args=[sequence.pk])).content, "html.parser"
    )
    found = {}
    for section in soup.select(".referral-sequence__branch"):
        rows = [
            [cell.get_text(strip=True) for cell in row.find_all("td")] for row in section.select("tbody tr")
        ]
        found[section.h2.get_text(strip=True)] = [(row[0], row[1][:1], row[2]) for row in rows]
    assert list(found) == [
        "Nothing happens",
        "The reader has used the pass",
        "The reader has bought a membership on the fourth day",
    ]
    assert found["Nothing happens"] == [
        ("1", "1", "Your Day pass is here"),
        ("3", "2", "How to get the most out of your first visit"),
        ("8", "4", "Stay with us, for less at the start"),
        ("13", "3", found["Nothing happens"][3][2]),
    ]
    assert found["Nothing happens"][3][2].startswith("Your Day pass is good until ")
    assert [row[2] for row in found["The reader has used the pass"]][1::2] == ["passed over", "passed over"]
    assert [row[:2] for row in found["The reader has bought a membership on the fourth day"]] == [
        ("1", "1"),
        ("3", "2"),
        ("4", "5"),
    ]
    assert Message.objects.count() == Enrollment.objects.count() == 0


def test_a_subject_reads_as_in_the_mail(admin: Client) -> None:
    """Also what every message can say, whatever it is about."""
    sequence = make_sequence({"name": "Welcome"})
    Site.objects.update(site_name="Studio Souffle")
    template = sequence.steps.get().template
    text = template.texts.get()
    text.subject = "{greeting} {site} waits for you, {name}"
    text.save()
    page = text_of(admin.get(reverse(f"{NAMESPACE}:preview", args=[sequence.pk])))
    assert "Hello Camille, Studio Souffle waits for you, Camille" in page


@pytest.mark.parametrize(("name", "icon"), [("preview", "view"), ("people", "group")])
def test_a_page_has_the_sign_of_the_button_that_leads_to_it(admin: Client, name: str, icon: str) -> None:
    sequence = make_sequence({"name": "Welcome"})
    soup = BeautifulSoup(admin.get(reverse(f"{NAMESPACE}:{name}", args=[sequence.pk])).content, "html.parser")
    header = soup.select_one("[data-controller~=w-breadcrumbs]")
    assert header is not None and f"#icon-{icon}" in [use["href"] for use in header.select("use")]


# Who is where


def test_the_page_counts_people_at_each_step(admin: Client, terms: Terms) -> None:
    sequence = make_sequence(
        {"name": "Welcome"},
        {"name": "Tip", "delay": 2, "condition": "ordered"},
        {"name": "Offer", "delay": 5},
        goal="has_shared",
        stops=["reward_given"],
        first_published_at=NOW,
    )
    friends = [make_user(f"friend{number}@example.com") for number in range(6)]
    advocate = make_advocate()
    for number, friend in enumerate(friends):
        referral = make_referral(terms, advocate, friend)
        begin(sequence, friend, now=NOW, referral=referral)
        if number == 0:
            make_purchase(referral, "100", "80.00", moment=NOW + DAY)
            make_purchase(referral, "099", "10.00", moment=NOW - DAY)
            make_purchase(referral, "101", "7.00", moment=NOW + DAY, currency="CHF")
            type(referral).objects.filter(pk=referral.pk).update(qualified_at=NOW + DAY, state="rewarded")
        if number == 1:
            make_purchase(referral, "102", "60.00", moment=NOW + DAY)
    plan_due(now=NOW)
    Message.objects.update(state="sent")
    Message.objects.filter(pk=Message.objects.first().pk).update(opened_at=NOW)
    Message.objects.filter(pk=Message.objects.last().pk).update(state="dropped")
    plan_due(now=NOW + 2 * DAY)
    keys = list(Enrollment.objects.order_by("pk").values_list("pk", flat=True))
    over = {"next_at": None, "waits_for": None, "ended_at": NOW}
    Enrollment.objects.filter(pk=keys[2]).update(state="reached", **over)
    Enrollment.objects.filter(pk=keys[3]).update(state="stopped", reason="reward_given", **over)
    Enrollment.objects.filter(pk=keys[4]).update(state="stopped", reason="gone", **over)
    counts = counts_of(sequence)
    assert (counts.begun, counts.running, counts.reached, counts.percent) == (6, 3, 1, 33)
    assert counts.stopped == {"reward_given": 1, "gone": 1}
    welcome, tip, offer = counts.steps
    assert (welcome.sent, welcome.dropped, welcome.opened, welcome.held, welcome.passed) == (5, 1, 1, 0, 0)
    assert (tip.sent, tip.held, tip.passed, tip.waiting) == (0, 2, 4, 0)
    assert (offer.waiting, offer.sent, offer.passed) == (3, 0, 0)
    brought = [(row.currency, row.orders, row.amount) for row in counts.brought]
    assert brought == [("CHF", 1, Decimal(7)), ("EUR", 1, Decimal(80))], (
        "by currency, and only what came after"
    )
    page = text_of(admin.get(reverse(f"{NAMESPACE}:people", args=[sequence.pk])))
    assert "6 people have begun it." in page and "33% of those who are through" in page
    assert "Stopped: has been given a reward" in page and "Stopped: cannot be written to any more" in page
    assert "1 order, €80.00" in page and "87" not in page


def test_counting_costs_the_same_for_many(terms: Terms, django_assert_num_queries: Any) -> None:
    sequence = make_sequence({"name": "Welcome"}, {"name": "Tip", "delay": 2})
    lea = make_user("lea@example.com")
    for _number in range(5):
        begin(sequence, lea)
    with django_assert_num_queries(5):
        counts_of(sequence)


def test_the_listing_tells_what_it_is_and_how_far(admin: Client) -> None:
    sequence = make_sequence({"name": "Welcome"}, goal="has_shared")
    begin(sequence, make_user("lea@example.com"))
    page = text_of(admin.get(reverse(f"{NAMESPACE}:list")))
    assert "A sequence sends one message after the other" in page
    assert "It begins when a friend has opened an account. At once: “Welcome”." in page


def test_the_listing_tells_what_is_to_come(admin: Client) -> None:
    def state_of(sequence: Sequence) -> str:
        soup = BeautifulSoup(admin.get(reverse(f"{NAMESPACE}:list")).content, "html.parser")
        row = soup.find("a", href=reverse(f"{NAMESPACE}:edit", args=[sequence.pk])).find_parent("tr")
        return " ".join(row.find_all("td")[-1].get_text(" ").split())

    sequence = make_sequence({"name": "Welcome"}, live=False, first_published_at=None)
    assert state_of(sequence) == "draft"
    sequence.go_live_at, sequence.expire_at = NOW + 10 * DAY, NOW + 20 * DAY
    sequence.save_revision().publish()
    assert state_of(sequence) == "scheduled is published on 11/20/2026 1 p.m. ends on 11/30/2026 1 p.m."
    Sequence.objects.update(live=True, expire_at=None)
    assert state_of(sequence) == "published changes come on 11/20/2026 1 p.m."
    Revision.objects.update(approved_go_live_at=None)
    Sequence.objects.update(has_unpublished_changes=True)
    assert state_of(sequence) == "published, with a newer draft"
    Sequence.objects.update(expire_at=NOW)
    assert state_of(sequence) == "over", "whether or not a cron has said so"


def test_reports_see_counts_only() -> None:
    sequence = make_sequence({"name": "Welcome"})
    client = signed_in(staff("reports@example.com", "view_summary", "view_sequence"))
    assert client.get(reverse(f"{NAMESPACE}:people", args=[sequence.pk])).status_code == 200
    assert client.get(reverse(f"{NAMESPACE}:edit", args=[sequence.pk])).status_code == 302
    assert SequenceStep.objects.count() == 1
