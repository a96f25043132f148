"""What a shop's own kinds and triggers ask in the form of a rule: kept in the terms, forgotten with the choice."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup
from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import reverse
from wagtail.admin.widgets import AdminPageChooser
from wagtail.models import Page

from tests.admin.test_browser import admin_page
from tests.admin.test_program_form import ADD, EDIT, SENTENCE, edit, errors_of, publish, rule_keys, start
from wagtail_referrals.kinds import (
    Posting,
    RewardKind,
    Rule,
    Trigger,
    join_option_fields,
    reward_kinds,
    triggers,
)
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Program, Terms

if TYPE_CHECKING:
    from playwright.sync_api import Page as BrowserPage

pytestmark = pytest.mark.django_db
__all__ = ["admin_page"]


class Reading(RewardKind):
    """Gives a page to read."""

    key = "reading"
    label = "Something to read"

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "page": forms.ModelChoiceField(Page.objects.all(), widget=AdminPageChooser, label="Page"),
            "copies": forms.DecimalField(label="Copies", required=False, max_value=9),
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        page = values["page"]
        frozen = {"page": page.pk, "page_title": page.title} if page else {}
        return frozen | super().freeze_options({"copies": values["copies"]})

    def words(self, rule: Rule, currency: str) -> str:
        return f"“{rule.options['page_title']}” to read"

    def post(self, posting: Posting) -> None:
        raise NotImplementedError


class Weekday(Trigger):
    """Matches orders of one day of the week."""

    key = "weekday"
    label = "an order on a day"

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            "day": forms.ChoiceField(choices=[("", "–"), ("mon", "Monday"), ("tue", "Tuesday")], label="Day")
        }

    def words(self, rule: Rule) -> str:
        return f"has ordered on {rule.options['day']}"


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    reward_kinds.register(Reading())
    triggers.register(Weekday())
    yield
    reward_kinds.unregister("reading")
    triggers.unregister("weekday")


def reading(page: Page | None = None) -> dict[str, str]:
    """The advocate's rule of the ready-made program, changed to our kind and trigger."""
    return {
        "rules-1-kind": "reading",
        "rules-1-option_page": str((page or Page.objects.get(depth=2)).pk),
        "rules-1-option_copies": "2.5",
        "rules-1-trigger": "weekday",
        "rules-1-option_day": "tue",
    }


def options_of(program: Program) -> dict[str, Any]:
    return parse(program.terms.latest("number")).rules[1].options


def test_what_was_chosen_is_in_the_terms_and_in_words(admin: Client) -> None:
    page = Page.objects.get(depth=2)
    assert publish(admin, start(admin, **reading(page))).status_code == 302
    program = Program.objects.get()
    assert options_of(program) == {"page": page.pk, "page_title": page.title, "copies": "2.5", "day": "tue"}
    words = admin.post(reverse(SENTENCE), start(admin, **reading(page))).json()["sentence"]
    assert f"Once the friend has ordered on tue, your customer gets “{page.title}” to read" in words


def test_the_form_shows_again_what_was_chosen_and_a_change_is_a_new_version(admin: Client) -> None:
    publish(admin, start(admin, **reading()))
    program = Program.objects.get()
    keys = rule_keys(program)
    soup = BeautifulSoup(admin.get(reverse(EDIT, args=[program.pk])).content, "html.parser")
    assert soup.select_one("[name=rules-1-option_day] option[selected]")["value"] == "tue"
    assert soup.select_one("[name=rules-1-option_copies]")["value"] == "2.5"
    chosen = soup.select_one("[name=rules-1-option_page]")
    assert chosen["value"] == str(Page.objects.get(depth=2).pk)
    # First as a draft, then published from the draft: only the option changes.
    assert edit(admin, program, **{"rules-1-option_day": "mon"}).status_code == 302
    assert options_of(program)["day"] == "tue"
    assert edit(admin, program, **{"action-publish": "1"}).status_code == 302
    assert options_of(program)["day"] == "mon"
    assert rule_keys(program) == keys
    assert program.terms.count() == 2


def test_what_is_missing_stops_a_publication_but_not_a_draft(admin: Client) -> None:
    values = start(admin, **reading()) | {"rules-1-option_page": "", "rules-1-option_day": ""}
    response = publish(admin, values)
    soup = BeautifulSoup(response.content, "html.parser")
    for name in ("page", "day"):
        field = soup.select("#inline_child_rules-1 .referral-rule__option_" + name)
        assert len(field) == 1 and "This field is required." in field[0].text
    assert admin.post(reverse(ADD), values).status_code == 302
    program = Program.objects.get()
    program.get_latest_revision().publish()
    assert [rule.side for rule in parse(Terms.objects.get()).rules] == ["friend"]


def test_what_is_not_valid_is_said_where_it_is_mended(admin: Client) -> None:
    response = publish(admin, start(admin, **reading()) | {"rules-1-option_copies": "12"})
    assert "less than or equal to 9" in errors_of(response)
    assert not Terms.objects.exists()


def test_what_belongs_to_another_choice_is_forgotten(admin: Client) -> None:
    changes = reading() | {"rules-1-kind": "credit", "rules-1-trigger": "first_purchase"}
    assert publish(admin, start(admin, **changes)).status_code == 302
    assert options_of(Program.objects.get()) == {}
    only_day = reading() | {"rules-1-kind": "credit"}
    program = Program.objects.get()
    assert edit(admin, program, **only_day, **{"action-publish": "1"}).status_code == 302
    assert options_of(program) == {"day": "tue"}


def test_a_copy_has_the_options(admin: Client) -> None:
    from tests.admin.forms import values_of

    publish(admin, start(admin, **reading()))
    original = Program.objects.get()
    html = admin.get(reverse("wagtail_referrals_programs:copy", args=[original.pk])).content.decode()
    assert publish(admin, values_of(html)).status_code == 302
    assert options_of(Program.objects.exclude(pk=original.pk).get()) == options_of(original)


def test_a_refused_form_keeps_what_was_typed(admin: Client) -> None:
    response = publish(admin, start(admin, **reading()) | {"window_days": "0"})
    soup = BeautifulSoup(response.content, "html.parser")
    assert soup.select_one("[name=rules-1-option_day] option[selected]")["value"] == "tue"
    assert "to read" in soup.select_one(".referral-sentence__text").text


def test_two_that_ask_by_the_same_name_are_refused() -> None:
    class Other(Weekday):
        key = "other"

    with pytest.raises(ImproperlyConfigured, match='"other" has an option "day"'):
        join_option_fields([Weekday(), Other()])


def test_by_default_options_are_kept_as_json() -> None:
    kept = Weekday().freeze_options(
        {"day": "mon", "empty": "", "none": None, "amount": Decimal("1.50"), "no": False}
    )
    assert kept == {"day": "mon", "amount": "1.50", "no": False}
    assert Weekday().option_problems(kept) == {}
    assert Weekday().option_problems({}) == {"day": "This field is required."}


@pytest.mark.django_db(transaction=True)
def test_fields_come_and_go_with_the_choice_also_a_chooser_in_a_new_row(
    admin_page: BrowserPage, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    root = Page.objects.filter(depth=1).first() or Page.add_root(title="Root")
    site_page = root.get_children().first() or root.add_child(instance=Page(title="Welcome"))
    page.goto(live_server.url + reverse(ADD) + "?preset=give_percent_get_credit")
    page.click("#id_rules-ADD")
    row = page.locator("#inline_child_rules-2")
    assert row.locator(".referral-rule__options >> visible=true").count() == 0
    page.select_option("[name=rules-2-side]", "advocate")
    page.select_option("[name=rules-2-trigger]", "weekday")
    page.select_option("[name=rules-2-option_day]", "tue")
    assert row.locator(".referral-rule__option_page").is_hidden()
    page.select_option("[name=rules-2-kind]", "reading")
    row.get_by_role("button", name="Choose a page").click()
    page.locator(".modal-body").get_by_role("link", name=site_page.title).first.click()
    words = f"Once the friend has ordered on tue, your customer gets “{site_page.title}” to read"
    page.get_by_text(words).wait_for()
    page.select_option("[name=rules-2-kind]", "free_shipping")
    assert row.locator(".referral-rule__option_page").is_hidden()
    page.select_option("[name=rules-2-kind]", "reading")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("published").first.wait_for()
    assert parse(Terms.objects.get()).rules[2].options == {
        "page": site_page.pk,
        "page_title": site_page.title,
        "day": "tue",
    }
    browser_problems.assert_none()
