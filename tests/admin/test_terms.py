"""Versions of the terms: what differs in words, who stands on them, and the screens that show it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from bs4 import BeautifulSoup
from django import forms
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override
from wagtail.models import Page, Site

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_user
from wagtail_referrals.kinds import Rule, Trigger, reward_kinds, triggers
from wagtail_referrals.kinds.reward import RewardKind
from wagtail_referrals.programs import TermsData, difference, differences, draft_data, publish_terms
from wagtail_referrals.programs.difference import Change
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.tracking.models import Claim

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(program: Program) -> TermsData:
    """Ten percent off for the friend, fifteen euros for the customer."""
    return draft_data(program)


def changes(before: TermsData, after: TermsData) -> list[Change]:
    return [change for section in differences(before, after) for change in section.changes]


def words(before: TermsData, after: TermsData) -> list[str]:
    return [change.words for change in changes(before, after)]


def with_rule(data: TermsData, side: str, **values: Any) -> TermsData:
    return replace(
        data, rules=tuple(replace(rule, **values) if rule.side == side else rule for rule in data.rules)
    )


def test_nothing_differs_from_itself(data: TermsData) -> None:
    assert differences(data, data) == []


def test_a_gift_is_told_in_the_words_of_its_kind(data: TermsData) -> None:
    assert words(data, with_rule(data, "friend", percent=Decimal(15))) == [
        "The friend gets: 10% off one order → 15% off one order"
    ]
    assert words(data, with_rule(data, "advocate", amounts={"EUR": Decimal(20)})) == [
        "Your customer gets: €15.00 of referral credit → €20.00 of referral credit"
    ]
    assert words(data, with_rule(data, "friend", kind="free_shipping")) == [
        "The friend gets: 10% off one order → free delivery of one order"
    ]


def test_each_currency_is_told(data: TermsData) -> None:
    before = with_rule(data, "advocate", amounts={"EUR": Decimal(15), "USD": Decimal(18)})
    after = with_rule(data, "advocate", amounts={"EUR": Decimal(15), "USD": Decimal(20), "JPY": Decimal(900)})
    assert words(before, after) == [
        "Your customer gets: nothing in JPY → ¥900 of referral credit",
        "Your customer gets: $18.00 of referral credit → $20.00 of referral credit",
    ]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"trigger": "every_purchase"},
            "When ({about}): {first} → once the friend has placed an order, each time",
        ),
        ({"minimum_spend": {"EUR": Decimal(50)}}, "Minimum order ({about}): none → €50.00"),
        ({"expires_days": 90}, "Can be used for ({about}): does not expire → 90 days"),
        (
            {"refund_policy": "proportional"},
            "When the order is refunded ({about}): The reward stays unless the order falls below its minimum → "
            "The reward shrinks with the order",
        ),
        (
            {"trigger": "nth_referral", "occurrence": 3},
            "When ({about}): {first} → once the friend is number 3 of those who have ordered",
        ),
    ],
)
def test_each_field_of_a_rule_is_told(data: TermsData, values: dict[str, Any], line: str) -> None:
    about = "Your customer gets €15.00 of referral credit"
    first = "once the friend has placed a first order"
    assert words(data, with_rule(data, "advocate", **values)) == [line.format(about=about, first=first)]


def test_rules_come_and_go(data: TermsData) -> None:
    friend, advocate = data.rules
    more = Rule(
        key=str(uuid.uuid4()),
        side="advocate",
        trigger="registers",
        kind="credit",
        refund_policy="keep",
        amounts={"EUR": Decimal(1)},
        minimum_spend={"EUR": Decimal(30)},
    )
    after = replace(data, rules=(advocate, more))
    assert words(data, after) == [
        "Reward added: Once the friend has opened an account (from €30.00), your customer gets €1.00 of referral "
        "credit.",
        "Reward removed: Once the friend has followed the link, the friend gets 10% off one order.",
    ]
    swapped = replace(data, rules=(advocate, friend))
    assert words(data, swapped) == [
        "Order of the rewards: The friend: 10% off one order; Your customer: €15.00 of referral credit → "
        "Your customer: €15.00 of referral credit; The friend: 10% off one order"
    ]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"name": "Spring"}, "Name: {name} → Spring"),
        ({"new_customers_only": False}, "For new customers only: yes → no"),
        ({"window_days": 1}, "Time to order: 30 days → 1 day"),
        (
            {"touch": "first"},
            "Whose friend: the last link the friend followed → the first link the friend followed",
        ),
        ({"hold_days": 30}, "Waiting period: 14 days after delivery → 30 days after delivery"),
        ({"hold_days": 0}, "Waiting period: 14 days after delivery → none"),
        ({"hold_anchor": "paid"}, "Waiting period: 14 days after delivery → 14 days after payment"),
        ({"clawback_days": 90}, "Rewards can be taken back for: 180 days → 90 days"),
        ({"cap_count": None}, "Rewards for one customer: at most 10 times a year → no limit"),
        (
            {"cap_period": "month"},
            "Rewards for one customer: at most 10 times a year → at most 10 times a month",
        ),
        ({"friend_cap_count": 3}, "Rewards for one friend: no limit → 3"),
        ({"audience": "Members"}, "Who may refer: everybody → Members"),
        ({"budget_amounts": {"EUR": Decimal(500)}}, "Budget: no limit → €500.00"),
        ({"budget_count": 100}, "Budget in number of friends: no limit → 100"),
    ],
)
def test_each_field_of_the_program_is_told(data: TermsData, values: dict[str, Any], line: str) -> None:
    data = replace(data, cap_count=10, cap_period="year")
    assert words(data, replace(data, **values)) == [line.format(name=data.name)]


def test_no_field_of_the_terms_is_passed_over(data: TermsData) -> None:
    """What others add to the terms is told at least by its name."""
    other: dict[str, Any] = {
        "rules": (),
        "texts": {},
        "budget_amounts": {"EUR": Decimal(1)},
        "new_customers_only": False,
        "landing_page_id": 10**6,
        "touch": "first",
        "hold_anchor": "paid",
        "cap_period": "month",
    }
    data = replace(data, cap_count=1, texts={"en": {"headline": "Welcome"}})
    for field in fields(TermsData):
        if field.name == "program_key":
            continue
        value = other.get(field.name, 7 if field.name.endswith(("_days", "_count")) else "Something")
        assert words(data, replace(data, **{field.name: value})), field.name


def test_what_has_no_words_here_is_told_by_its_name(data: TermsData, monkeypatch: Any) -> None:
    """As a field would be that the terms come to have later."""
    monkeypatch.setattr(difference, "_CONDITIONS", [])
    monkeypatch.setattr(difference, "_TOLD", {"program_key", "rules", "texts", "landing_page_id"})
    assert words(data, replace(data, window_days=60)) == ["Days to order: 30 → 60"]
    assert words(data, replace(data, new_customers_only=False)) == ["For new customers only: yes → no"]
    assert words(replace(data, cap_count=None), replace(data, cap_count=3)) == [
        "At most, rewards per customer: none → 3"
    ]
    assert words(data, replace(data, budget_amounts={"EUR": Decimal(5)}))


def test_a_landing_page_is_told_by_its_title(data: TermsData) -> None:
    page = Site.objects.get(is_default_site=True).root_page
    before = replace(data, landing_page_id=page.pk)
    gone = max(Page.objects.values_list("pk", flat=True)) + 1
    assert words(data, before) == [f"Landing page: the general page → {page.title}"]
    assert words(before, replace(data, landing_page_id=gone)) == [
        f"Landing page: {page.title} → a page that was deleted"
    ]


def test_texts_are_told_by_language(data: TermsData) -> None:
    before = replace(data, texts={"en": {"headline": "Welcome"}, "fr": {"headline": "Bienvenue"}})
    after = replace(data, texts={"en": {"headline": "Come in"}, "xx-unknown": {"small_print": "…"}})
    found = differences(before, after)
    assert [section.title for section in found] == ["Texts: English", "Texts: Français", "Texts: xx-unknown"]
    assert [change.words for section in found for change in section.changes] == [
        "Headline: Welcome → Come in",
        "Headline: Bienvenue",
        "Terms of the offer: …",
    ]
    assert all(change.is_text for section in found for change in section.changes)


def test_the_words_are_those_of_the_reader(data: TermsData) -> None:
    with override("fr"):
        (line,) = words(data, with_rule(data, "friend", percent=Decimal(15)))
    assert "15 % de réduction sur une commande" in line.replace("\u202f", " ").replace("\xa0", " ")


def test_kinds_and_moments_that_are_gone_do_not_break_it(data: TermsData) -> None:
    before = with_rule(data, "friend", kind="was_here", trigger="once_was", refund_policy="old")
    after = with_rule(before, "friend", options={"thing": 1})
    assert words(data, before)
    assert words(before, data)
    about = "The friend gets something that this site no longer knows"
    assert words(before, after) == [f"Details of the reward have changed ({about})"]
    assert words(data, replace(data, rules=before.rules[:1]))


class Badge(RewardKind):
    key = "test_badge"
    label = "Badge"

    def words(self, rule: Rule, currency: str) -> str:
        return f"the badge “{rule.options.get('badge_title', '')}”"

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "badge_title": forms.CharField(),
            "colour": forms.ChoiceField(choices=[("r", "Red"), ("b", "Blue")]),
        }


class OnTuesday(Trigger):
    key = "test_day"
    label = "On a day"

    def words(self, rule: Rule) -> str:
        return f"orders on a {rule.options.get('day', '')}"


@pytest.fixture
def _own_kinds() -> Iterator[None]:
    reward_kinds.register(Badge())
    triggers.register(OnTuesday())
    yield
    reward_kinds.unregister(Badge.key)
    triggers.unregister(OnTuesday.key)


@pytest.mark.usefixtures("_own_kinds")
def test_options_are_told_in_words(data: TermsData) -> None:
    options = {"badge_title": "Friend", "colour": "r", "day": "Tuesday"}
    before = with_rule(data, "friend", kind=Badge.key, trigger=OnTuesday.key, options=options)

    def other(**values: Any) -> TermsData:
        return with_rule(before, "friend", options={**options, **values})

    assert words(before, other(badge_title="Ambassador")) == [
        "The friend gets: the badge “Friend” → the badge “Ambassador”"
    ]
    about = "The friend gets the badge “Friend”"
    assert words(before, other(day="Friday")) == [
        f"When ({about}): once the friend orders on a Tuesday → once the friend orders on a Friday"
    ]
    # What the words do not tell, the form does.
    assert words(before, other(colour="b")) == [f"Colour ({about}): Red → Blue"]
    assert words(before, other(unheard_of=1)) == [f"Details of the reward have changed ({about})"]


# --- the screens


def text_of(response: Any) -> str:
    assert response.status_code == 200
    main = BeautifulSoup(response.content, "html.parser").find("main")
    assert main is not None
    return " ".join(main.get_text(" ", strip=True).split())


def republish(program: Program, **values: Any) -> Terms:
    """Another version, two days later."""
    for name, value in values.items():
        setattr(program, name, value)
    program.save()
    return publish_terms(program, now=NOW + timedelta(days=2))


def compare(client: Client, program: Program, **query: Any) -> Any:
    return client.get(reverse("wagtail_referrals_terms:compare"), {"program": str(program.key), **query})


def test_the_list_says_who_stands_on_which(admin: Client, program: Program, terms: Terms) -> None:
    advocate = make_advocate()
    for number in range(3):
        make_referral(terms, advocate, make_user(f"friend{number}@example.com"))
    second = republish(program, hold_days=30)
    referral = make_referral(second, advocate, make_user("lea@example.com", "Léa"))
    Claim.objects.create(
        advocate=advocate,
        terms=second,
        source=Claim.Source.CODE,
        created_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )
    response = admin.get(reverse("wagtail_referrals_terms:index"), {"program": str(program.key)})
    rows = BeautifulSoup(response.content, "html.parser").select("main table tbody tr")
    lines = [" ".join(row.get_text(" ", strip=True).split()) for row in rows]
    assert len(lines) == 2
    assert f"{program.name} (2)" in lines[0]
    assert "in force 1 friend 1 invitation saved" in lines[0]
    assert "3 friends" in lines[1]
    assert "in force" not in lines[1]
    # Its link leads to these and no others.
    listed = text_of(admin.get(rows[0].find("a", string="1 friend")["href"]))
    assert "Léa" in listed
    assert "friend0" not in listed
    assert referral.terms == second
    reader = signed_in(staff("reader@example.com", "view_terms"))
    assert "?terms=" not in reader.get(reverse("wagtail_referrals_terms:index")).content.decode()


def test_the_list_costs_the_same_however_long_it_is(admin: Client, program: Program) -> None:
    url = reverse("wagtail_referrals_terms:index")
    counts = []
    for days in (20, 40):
        for number in range(3):
            republish(program, hold_days=days + number)
        admin.get(url)
        with CaptureQueriesContext(connection) as queries:
            admin.get(url)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_back_to_an_earlier_wording_is_that_version(admin: Client, program: Program, terms: Terms) -> None:
    republish(program, hold_days=30)
    assert republish(program, hold_days=14) == terms
    response = admin.get(reverse("wagtail_referrals_terms:index"), {"program": str(program.key)})
    rows = BeautifulSoup(response.content, "html.parser").select("main table tbody tr")
    assert "newest" in rows[0].get_text()
    assert "in force" in rows[1].get_text()


def test_a_closed_program_has_none_in_force(admin: Client, program: Program) -> None:
    Program.objects.update(live=False)
    text = text_of(admin.get(reverse("wagtail_referrals_terms:index")))
    assert "in force" not in text
    assert "newest" in text


def test_who_published_is_known_from_the_log(admin: Client, program: Program) -> None:
    editor = make_user("maelle@example.com", "Maëlle")
    program.hold_days = 30
    with time_machine.travel(NOW + timedelta(days=3), tick=False):
        program.save_revision(user=editor).publish(user=editor, skip_permission_checks=True)
    newest = Terms.objects.order_by("-number")[0]
    assert newest.number == 2
    text = text_of(admin.get(reverse("wagtail_referrals_terms:inspect", args=[newest.pk])))
    assert "Version 2 in force When your customer" in text
    assert "Published on Nov. 13, 2026 by Maëlle." in text
    first = Terms.objects.get(number=1)
    text = text_of(admin.get(reverse("wagtail_referrals_terms:inspect", args=[first.pk])))
    assert "Published on Nov. 10, 2026." in text
    assert "Maëlle" not in text


def schedule(program: Program, editor: Any, moment: datetime) -> None:
    program.go_live_at = moment
    program.save_revision(user=editor).publish(user=editor, skip_permission_checks=True)


def test_what_is_only_scheduled_is_not_published(admin: Client) -> None:
    """It has terms from the day on which it opens, and these say who set that day."""
    editor, other = make_user("maelle@example.com", "Maëlle"), make_user("tom@example.com", "Tom")
    program = make_program(name="Later", live=False)
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        schedule(program, other, NOW + timedelta(days=5))
        # Put off, which is who is to be asked about it.
        schedule(program, editor, NOW + timedelta(days=6))
        assert not Terms.objects.exists()
        text = text_of(admin.get(reverse("wagtail_referrals_programs:list")))
        assert "opens on 11/16/2026" in text
        assert "scheduled by Maëlle" in text
        assert "There are no terms" in text_of(admin.get(reverse("wagtail_referrals_terms:index")))
    with time_machine.travel(NOW + timedelta(days=7), tick=False):
        call_command("publish_scheduled")
        terms = Terms.objects.get()
        text = text_of(admin.get(reverse("wagtail_referrals_terms:index")))
        assert "in force" in text
        assert "scheduled by Maëlle" in text
        text = text_of(admin.get(reverse("wagtail_referrals_terms:inspect", args=[terms.pk])))
        assert "Published on Nov. 17, 2026, as scheduled by Maëlle." in text
        assert "scheduled by" not in text_of(admin.get(reverse("wagtail_referrals_programs:list")))


def test_changes_that_are_scheduled_leave_what_is_in_force(
    admin: Client, program: Program, terms: Terms
) -> None:
    editor = make_user("maelle@example.com", "Maëlle")
    program.hold_days = 30
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        schedule(program, editor, NOW + timedelta(days=6))
        assert Terms.objects.get() == terms
        assert "scheduled by Maëlle" in text_of(admin.get(reverse("wagtail_referrals_programs:list")))
    with time_machine.travel(NOW + timedelta(days=7), tick=False):
        call_command("publish_scheduled")
        newest = Terms.objects.latest("number")
        assert newest.number == 2
        text = text_of(admin.get(reverse("wagtail_referrals_terms:inspect", args=[newest.pk])))
        assert "Published on Nov. 17, 2026, as scheduled by Maëlle." in text


def test_two_versions_are_compared(admin: Client, program: Program) -> None:
    republish(program, hold_days=30)
    text = program.texts.get(language="en")
    text.headline, text.small_print = "Come <b>in</b>", "One\nTwo"
    text.save()
    program = Program.objects.get()
    republish(program, window_days=60)
    text = text_of(compare(admin, program))
    assert "Time to order 30 days → 60 days" in text
    assert "Texts: English" in text
    assert "Waiting period" not in text
    text = text_of(compare(admin, program, **{"from": 1, "to": 2}))
    assert "Waiting period 14 days after delivery → 30 days after delivery" in text
    assert "Time to order" not in text
    text = text_of(compare(admin, program, **{"from": 1, "to": 3}))
    assert "Time to order" in text
    assert "Waiting period" in text
    response = compare(admin, program, **{"from": 3, "to": 1})
    assert "Time to order 60 days → 30 days" in text_of(response)
    # An editor's words are words.
    assert "<b>in</b>" not in response.content.decode()
    assert "There are no differences between these two versions." in text_of(
        compare(admin, program, **{"from": 2, "to": 2})
    )


def test_one_version_has_nothing_to_compare_with(admin: Client, program: Program, terms: Terms) -> None:
    assert "There is one version of these terms so far" in text_of(compare(admin, program))
    html = admin.get(reverse("wagtail_referrals_terms:inspect", args=[terms.pk])).content.decode()
    assert "compare/" not in html


@pytest.mark.parametrize(
    "query", [{}, {"program": "x"}, {"program": str(uuid.uuid4())}, {"from": "9"}, {"to": "x"}, {"from": "0"}]
)
def test_what_is_not_there_is_not_found(admin: Client, program: Program, query: dict[str, str]) -> None:
    if "program" not in query and query:
        query = {"program": str(program.key), **query}
    response = admin.get(reverse("wagtail_referrals_terms:compare"), query, follow=True)
    assert response.status_code == 404


def test_the_ways_to_the_comparison(admin: Client, program: Program, terms: Terms) -> None:
    second = republish(program, hold_days=30)
    edit = admin.get(reverse("wagtail_referrals_programs:edit", args=[program.pk])).content.decode()
    index = f"{reverse('wagtail_referrals_terms:index')}?program={program.key}"
    assert index in edit
    assert reverse("wagtail_referrals_terms:compare") in admin.get(index).content.decode()
    for version in (terms, second):
        page = admin.get(reverse("wagtail_referrals_terms:inspect", args=[version.pk]))
        (link,) = BeautifulSoup(page.content, "html.parser").select("a[href*='terms/compare/']")
        assert "Waiting period" in text_of(admin.get(link["href"]))


def test_a_program_that_was_deleted_is_still_compared(admin: Client, program: Program, terms: Terms) -> None:
    republish(program, hold_days=30)
    key = program.key
    program.delete()
    response = admin.get(reverse("wagtail_referrals_terms:compare"), {"program": str(key)})
    assert "Waiting period 14 days after delivery → 30 days after delivery" in text_of(response)
    assert "in force" not in text_of(admin.get(reverse("wagtail_referrals_terms:index")))


def test_only_who_may_read_terms_compares(program: Program) -> None:
    outsider = signed_in(staff("reader@example.com", "view_referral"))
    assert compare(outsider, program).status_code == 302
    reader = signed_in(staff("terms@example.com", "view_terms"))
    assert compare(reader, program).status_code == 200


def test_a_referral_says_what_changed_since(admin: Client, program: Program, referral: Any) -> None:
    url = reverse("wagtail_referrals_referrals:inspect", args=[referral.pk])
    assert "Nothing has changed since." in text_of(admin.get(url))
    republish(program, hold_days=30, window_days=60)
    response = admin.get(url)
    assert f"Terms of {program.name}, version 1 – 2 changes since" in text_of(response)
    link = BeautifulSoup(response.content, "html.parser").find("a", string="2 changes since")
    assert link is not None
    assert "Waiting period 14 days after delivery → 30 days after delivery" in text_of(
        admin.get(link["href"])
    )
    reader = signed_in(staff("reader@example.com", "view_referral"))
    assert "changes since" not in text_of(reader.get(url))
