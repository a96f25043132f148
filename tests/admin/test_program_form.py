"""Writing a program: ready-made start, sentence, errors in words, publication, copy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import translation
from wagtail.models import Page

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import NOW, make_program
from wagtail_referrals.programs import (
    audience_data,
    audience_words,
    draft_data,
    parse,
    presets,
    program_hints,
    sentence,
)
from wagtail_referrals.programs.models import Audience, Program, Terms

pytestmark = pytest.mark.django_db

ADD = "wagtail_referrals_programs:add"
EDIT = "wagtail_referrals_programs:edit"
SENTENCE = "wagtail_referrals_programs:sentence"


def start(client: Client, preset: str = "give_percent_get_credit", **changes: Any) -> dict[str, Any]:
    response = client.get(reverse(ADD), {"preset": preset})
    assert response.status_code == 200
    return values_of(response.content.decode()) | changes


def publish(client: Client, values: dict[str, Any]) -> Any:
    return client.post(reverse(ADD), {**values, "action-publish": "action-publish"})


def errors_of(response: Any) -> str:
    assert response.status_code == 200, "the form was accepted"
    soup = BeautifulSoup(response.content, "html.parser")
    return " ".join(
        item.get_text(" ", strip=True) for item in soup.select(".w-field__errors, .error-message")
    )


def test_one_starts_by_choosing(admin: Client) -> None:
    soup = BeautifulSoup(admin.get(reverse(ADD)).content, "html.parser")
    cards = soup.select(".referral-card")
    assert len(cards) == len(list(presets)) == 10
    assert cards[0].find("h3").text == "Give 10%, get €15"
    assert "the friend gets 10% off one order" in cards[0].text
    assert [card.find("h3").text for card in cards[3:]] == [
        "Members only",
        "Win-back",
        "Staff pick",
        "Milestones",
        "New friends try once",
        "A month for a month",
        "An empty program",
    ]
    assert not soup.find("form", id="w-editor-form")


def test_an_unknown_start_is_offered_the_choice_again(admin: Client) -> None:
    assert b"referral-card" in admin.get(reverse(ADD), {"preset": "no such thing"}).content


# Made by an app of their own, and tried with what they need in tests/memberships/test_program_flag.py.
WITH_MEMBERSHIPS = ("try_once", "month_for_month")


@pytest.mark.parametrize(
    "key", [preset.key for preset in presets if preset.key not in ("empty", *WITH_MEMBERSHIPS)]
)
def test_every_ready_made_program_can_be_published_as_it_is(admin: Client, key: str) -> None:
    response = publish(admin, start(admin, key))
    assert response.status_code == 302, errors_of(response)
    program = Program.objects.get()
    assert program.live
    terms = parse(Terms.objects.get(program=program))
    assert sentence(terms) == sentence_of(presets.get(key).program())
    assert len(terms.rules) == len(presets.get(key).build().rules.all()) >= 2


def sentence_of(program: Program) -> str:
    return sentence(draft_data(program))


FOR_SOME = {
    "members_only": ("Members", "A customer who is a member."),
    "win_back": (
        "Not seen for half a year",
        "A customer who placed the last order more than 180 days ago.",
    ),
    "staff_pick": ("Our team", "A customer who works for the shop."),
}


@pytest.mark.parametrize("key", FOR_SOME)
def test_a_program_for_some_customers_brings_its_audience(admin: Client, key: str) -> None:
    name, words = FOR_SOME[key]
    values = start(admin, key)
    assert not Audience.objects.exists(), "opening a form writes nothing"
    assert publish(admin, values).status_code == 302
    audience = Audience.objects.get()
    assert (audience.name, audience.live) == (name, True)
    assert audience_words(audience_data(audience)) == words
    assert Program.objects.get().audience == audience
    assert parse(Terms.objects.get()).audience == name
    # It is there once, also for the next program.
    again = start(admin, key)
    assert again["audience"] == str(audience.pk)
    assert publish(admin, values).status_code == publish(admin, again).status_code == 302
    assert Audience.objects.count() == 1


def test_an_audience_that_a_draft_brings_is_published_by_who_may(db: None) -> None:
    editor = signed_in(staff("editor@example.com", "add_program", "change_program", "add_audience"))
    response = editor.post(reverse(ADD), start(editor, "win_back"), follow=True)
    audience = Audience.objects.get()
    assert not audience.live and audience.latest_revision is not None
    assert Program.objects.get().audience == audience
    assert "until it is, nobody may offer this program" in response.content.decode()


def test_who_may_write_no_audiences_is_not_offered_what_needs_one(db: None) -> None:
    editor = signed_in(staff("editor@example.com", "add_program", "change_program"))
    page = editor.get(reverse(ADD)).content.decode()
    assert "Milestones" in page and "Win-back" not in page
    values = start(editor) | {"audience": "new:" + audience_data(presets.get("win_back").audience()).version}
    response = editor.post(reverse(ADD), values)
    assert "Select a valid choice" in errors_of(response)
    assert not Audience.objects.exists()


def test_a_program_with_an_audience_to_come_can_be_previewed_and_said_in_words(admin: Client) -> None:
    values = start(admin, "staff_pick")
    answer = admin.post(reverse(SENTENCE), values).json()
    assert answer["sentence"].startswith("When one of your customers in “Our team” refers a friend")
    # The user of the test is one of the team.
    assert not any("Our team" in hint for hint in answer["hints"])
    preview = reverse("wagtail_referrals_programs:preview_on_add")
    assert admin.post(preview, values).json()["is_valid"]
    assert b"20% off" in admin.get(preview, {"mode": "en"}).content
    assert not Audience.objects.exists()


def test_texts_are_there_in_each_language(admin: Client, settings: Any) -> None:
    values = start(admin)
    languages = {values[name] for name in values if name.endswith("-language")}
    assert languages == {"en", "fr"}
    french = next(name for name in values if name.endswith("-language") and values[name] == "fr")
    with translation.override("fr"):
        expected = presets.get("give_percent_get_credit").build().texts.get(language="fr").headline
    assert values[french.replace("language", "headline")] == expected


def test_a_draft_promises_nothing(admin: Client) -> None:
    response = admin.post(reverse(ADD), start(admin, name="Later"))
    assert response.status_code == 302
    program = Program.objects.get()
    assert (program.name, program.live) == ("Later", False)
    assert not Terms.objects.exists()


BROKEN = [
    ({"rules-1-amounts_EUR": ""}, "Give an amount above zero in at least one currency."),
    ({"rules-1-amounts_EUR": "0"}, "Give an amount above zero in at least one currency."),
    ({"rules-0-percent": ""}, "Give a percentage above zero."),
    ({"rules-1-trigger": "arrives"}, "“The friend arrives” cannot bring your customer anything."),
    ({"rules-0-trigger": "nth_referral"}, "cannot bring the friend anything"),
    ({"rules-1-trigger": "nth_referral"}, "Say which friend"),
    (
        {"rules-1-kind": "credit_percent", "rules-1-percent": "5", "rules-1-trigger": "registers"},
        "needs an order",
    ),
    ({"rules-1-expires_days": "0"}, "It would expire at once."),
    ({"budget_amounts_EUR": "0"}, "A budget of zero invites nobody."),
    ({"rules-1-amounts_EUR": "-5"}, "greater than or equal to 0"),
    ({"rules-0-percent": "110"}, "less than or equal to 100"),
    ({"cap_count": "0"}, "greater than or equal to 1"),
    ({"window_days": "0"}, "greater than or equal to 1"),
    ({"rules-1-kind": "unheard of"}, "Select a valid choice"),
    ({"texts-1-language": "en"}, "language"),
]


@pytest.mark.parametrize(("changes", "words"), BROKEN)
def test_what_cannot_work_is_said_in_words(admin: Client, changes: dict[str, str], words: str) -> None:
    values = start(admin)
    assert set(changes) <= set(values), "the form has other fields"
    assert words in errors_of(publish(admin, values | changes))
    assert not Terms.objects.exists()
    assert not Program.objects.filter(live=True).exists()


def test_a_draft_may_be_incomplete_and_its_unfinished_rule_is_never_promised(admin: Client) -> None:
    admin.post(reverse(ADD), start(admin, **{"rules-1-amounts_EUR": ""}))
    program = Program.objects.get()
    # As a workflow or a schedule does, without asking the form.
    program.get_latest_revision().publish()
    terms = parse(Terms.objects.get(program=program))
    assert [rule.side for rule in terms.rules] == ["friend"]


def test_what_a_rule_does_not_use_does_not_get_into_the_terms(admin: Client) -> None:
    changes = {"rules-1-percent": "33", "rules-1-occurrence": "5", "rules-0-amounts_EUR": "99"}
    assert publish(admin, start(admin, **changes)).status_code == 302
    friend, advocate = parse(Terms.objects.get()).rules
    assert (advocate.percent, advocate.occurrence, friend.amounts) == (None, None, {})


def test_hints_come_after_saving(admin: Client) -> None:
    response = admin.post(
        reverse(ADD),
        start(admin, hold_days="0", budget_amounts_EUR="30", **{"action-publish": "1"}),
        follow=True,
    )
    text = response.content.decode()
    assert "Without a waiting period a reward is given before the order can be returned." in text
    assert "The budget in EUR is used up by 2 friends." in text


def said(client: Client, **changes: str) -> dict[str, Any]:
    answer: dict[str, Any] = client.post(reverse(SENTENCE), start(client) | changes).json()
    return answer


def test_dates_are_said_in_words(admin: Client) -> None:
    answer = said(admin, go_live_at="2026-12-01 09:00", expire_at="2026-12-24 18:00")
    assert answer["notes"][-2:] == [
        "It opens on Dec. 1, 2026, 9 a.m.: until then it promises nothing.",
        "It ends on Dec. 24, 2026, 6 p.m.: then nobody new is invited, and what was promised is kept.",
    ]
    assert answer["hints"] == []
    short = said(admin, go_live_at="2026-12-01 09:00", expire_at="2026-12-01 18:00")
    assert short["hints"] == ["It is open for less than a day: few links are followed so soon."]


def test_an_end_in_the_past_is_said(db: None) -> None:
    program = make_program(expire_at=NOW)
    hints = program_hints(program, list(program.rules.all()), now=NOW + timedelta(minutes=1))
    assert hints == ["It ended on Nov. 10, 2026, 1 p.m.: take the date away, or choose a later one."]


def test_a_landing_page_that_nobody_can_see_is_said(admin: Client, db: None) -> None:
    root = Page.objects.get(depth=2)
    page = root.add_child(instance=Page(title="Spring", live=False))
    said_of = "The landing page “Spring” is not published: friends get the general one."
    assert said_of in said(admin, landing_page=str(page.pk))["hints"]
    page.live = True
    page.save()
    assert said_of not in said(admin, landing_page=str(page.pk))["hints"]


def test_the_sentence_follows_what_is_typed(admin: Client) -> None:
    values = start(admin, **{"rules-1-amounts_EUR": "20", "hold_days": "30"})
    answer = admin.post(reverse(SENTENCE), values).json()
    assert "your customer gets €20.00 of referral credit, 30 days after delivery" in answer["sentence"]
    assert answer["hints"] == []
    assert not Program.objects.exists()


def test_the_sentence_is_in_the_editors_language(admin: Client, django_user_model: Any) -> None:
    from wagtail.users.models import UserProfile

    UserProfile.objects.update_or_create(
        user=django_user_model.objects.get(username="admin@example.com"),
        defaults={"preferred_language": "fr"},
    )
    values = start(admin)
    answer = admin.post(reverse(SENTENCE), values).json()
    with translation.override("fr"):
        assert answer["sentence"] == sentence_of(presets.get("give_percent_get_credit").build())
    assert "15,00\xa0€" in answer["sentence"]


def test_the_sentence_of_something_half_typed(admin: Client) -> None:
    values = start(admin, hold_days="soon", window_days="", name="")
    values |= {"rules-0-percent": "abc", "rules-1-side": ""}
    answer = admin.post(reverse(SENTENCE), values)
    assert answer.status_code == 200
    assert answer.json()["hints"] == ["Nobody gets anything yet: no reward is complete."]


def test_the_sentence_does_not_fall_over_what_is_sent(admin: Client) -> None:
    program = make_program()
    for data in (
        {},
        {"rules-TOTAL_FORMS": "x"},
        {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "1"},
        {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "1", "rules-0-id": "99999"},
        {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "1", "rules-0-id": "abc"},
        {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0", "rules-0-rule_key": "abc"},
        {"rules-TOTAL_FORMS": "1", "rules-INITIAL_FORMS": "0", "rules-0-amounts_EUR": "1e999"},
    ):
        for path in (reverse(SENTENCE), reverse(SENTENCE, args=[program.pk])):
            assert admin.post(path, data).status_code in (200, 400), data
    # The example site's language middleware tries its luck with /en/ before it says 404.
    assert admin.post(reverse(SENTENCE, args=[999]), {}, follow=True).status_code == 404


def edit(client: Client, program: Program, **changes: Any) -> Any:
    path = reverse(EDIT, args=[program.pk])
    values = values_of(client.get(path).content.decode())
    assert set(changes) <= {*values, "action-publish"}, "the form has other fields"
    return client.post(path, values | changes)


def rule_keys(program: Program) -> list[str]:
    return [rule.key for rule in parse(program.terms.latest("number")).rules]


def test_a_new_version_keeps_the_keys_of_its_rules(admin: Client) -> None:
    publish(admin, start(admin))
    program = Program.objects.get()
    keys = rule_keys(program)
    for amount in ("16", "17", "18"):
        # Each time what has been published before is loaded again, changed as a draft, and published.
        assert edit(admin, program, **{"rules-1-amounts_EUR": amount}).status_code == 302
        assert edit(admin, program, **{"action-publish": "1"}).status_code == 302
        assert rule_keys(program) == keys
    newest = parse(program.terms.latest("number"))
    assert str(newest.rules[1].amounts["EUR"]) == "18.00"
    assert program.terms.count() == 4


def test_a_rule_keeps_its_key_when_a_draft_is_published_that_is_not_the_newest(admin: Client) -> None:
    publish(admin, start(admin))
    program = Program.objects.get()
    path = reverse(EDIT, args=[program.pk])
    values = values_of(admin.get(path).content.decode())
    added = {
        name.replace("rules-1-", "rules-2-"): value for name, value in values.items() if "rules-1-" in name
    }
    added |= {"rules-2-id": "", "rules-2-rule_key": "", "rules-2-ORDER": "3", "rules-2-side": "friend"}
    admin.post(path, {**values, **added, "rules-TOTAL_FORMS": "3"})
    # As a schedule does: an earlier draft goes live while an editor is at work on the next one.
    program.refresh_from_db()
    scheduled = program.get_latest_revision()
    edit(admin, program, **{"rules-2-amounts_EUR": "7"})
    scheduled.publish()
    keys = rule_keys(program)
    assert len(keys) == 3
    edit(admin, program, **{"rules-2-amounts_EUR": "8", "action-publish": "1"})
    assert str(parse(program.terms.latest("number")).rules[2].amounts["EUR"]) == "8.00"
    assert rule_keys(program) == keys


def test_a_rule_cannot_take_the_key_of_another_program(admin: Client) -> None:
    other = make_program("percentage_back")
    foreign = rule_keys(other)[1]
    publish(admin, start(admin, **{"rules-1-rule_key": foreign}))
    program = Program.objects.exclude(pk=other.pk).get()
    assert foreign not in rule_keys(program)
    edit(admin, program, **{"rules-1-rule_key": foreign, "action-publish": "1"})
    assert foreign not in rule_keys(program)


def test_a_copy_has_keys_of_its_own(admin: Client) -> None:
    publish(admin, start(admin))
    original = Program.objects.get()
    html = admin.get(reverse("wagtail_referrals_programs:copy", args=[original.pk])).content.decode()
    values = values_of(html)
    assert values["name"] == "Copy of Give 10%, get €15"
    assert publish(admin, values).status_code == 302
    copy = Program.objects.exclude(pk=original.pk).get()
    assert copy.key != original.key
    assert not set(rule_keys(copy)) & set(rule_keys(original))
    assert sentence_of(copy) == sentence_of(original)
    assert copy.texts.count() == original.texts.count() == 2
    original.refresh_from_db()
    assert original.live
    assert original.rules.count() == 2


def test_the_preview_shows_the_draft_in_each_language(admin: Client) -> None:
    values = start(admin, **{"rules-0-percent": "25"})
    path = reverse("wagtail_referrals_programs:preview_on_add")
    assert admin.post(path, values).json() == {"is_valid": True, "is_available": True}
    english = admin.get(path, {"mode": "en"}).content.decode()
    assert "25% off one order" in english
    assert "Camille" in english
    french = admin.get(path, {"mode": "fr"})
    assert "25\xa0%" in french.content.decode()
    assert admin.get(path, {"mode": "nonsense"}).status_code == 200
    assert not Program.objects.exists()
    assert not Terms.objects.exists()


def test_an_editor_who_may_not_publish_writes_drafts(db: None) -> None:
    editor = signed_in(staff("editor@example.com", "add_program", "change_program"))
    assert publish(editor, start(editor)).status_code == 302
    assert not Program.objects.get().live
    assert not Terms.objects.exists()


def test_programs_are_saved_when_somebody_says_so(admin: Client) -> None:
    publish(admin, start(admin))
    program = Program.objects.get()
    for path in (
        reverse(ADD) + "?preset=empty",
        reverse(EDIT, args=[program.pk]),
        reverse("wagtail_referrals_programs:copy", args=[program.pk]),
    ):
        html = admin.get(path).content.decode()
        assert "w-unsaved" in html
        assert "w-autosave#save" not in html, path


def test_autosave_does_not_touch_what_is_live(admin: Client) -> None:
    publish(admin, start(admin))
    program = Program.objects.get()
    path = reverse(EDIT, args=[program.pk])
    values = values_of(admin.get(path).content.decode()) | {"rules-1-amounts_EUR": "1000"}
    response = admin.post(path, values, headers={"accept": "application/json"})
    assert response.json()["success"] is True
    assert str(program.rules.get(kind="credit").amounts["EUR"]) == "15.00"
    assert program.terms.count() == 1


def test_programs_of_several_currencies(admin: Client, settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CURRENCIES": ["EUR", "JPY"]}
    program = make_program()
    amounts = program.rules.get(side="advocate").amounts
    assert amounts == {"EUR": "15.00", "JPY": "1500"}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("window_days", "9999999", "at most 730 days"),
        ("hold_days", "99999999999", "at most 365 days"),
        ("clawback_days", "9999999", "at most 3650 days"),
        ("rules-1-expires_days", "9999999", "at most 3650 days"),
        ("cap_count", "99999999", "at most 1000000"),
        ("rules-1-amounts_EUR", "1000000000", "at most 999999.99"),
    ],
)
def test_what_is_out_of_all_proportion_is_refused_in_words(
    admin: Client, field: str, value: str, words: str
) -> None:
    values = start(admin)
    assert field in values
    assert words in errors_of(publish(admin, {**values, field: value}))
    assert not Terms.objects.exists()


def test_a_refused_form_shows_its_own_sentence(admin: Client) -> None:
    response = publish(admin, start(admin, window_days="0"))
    text = BeautifulSoup(response.content, "html.parser").select_one(".referral-sentence__text").text
    assert "the friend gets 10% off one order" in text and "your customer gets €15.00" in text


def test_what_looks_wrong_is_hinted_at(admin: Client) -> None:
    values = start(admin, clawback_days="1000", **{"rules-0-percent": "60", "rules-1-amounts_EUR": "1500"})
    hints = " ".join(admin.post(reverse(SENTENCE), values).json()["hints"])
    assert "€1,500.00 is a lot" in hints and "60% is a lot" in hints and "for 1000 days" in hints


def test_a_draft_without_a_name_has_words_in_listings(admin: Client) -> None:
    admin.post(reverse(ADD), start(admin, name=""))
    program = Program.objects.get()
    assert program.name == "" and str(program) == "(without a name)"
    text = admin.get(reverse("wagtail_referrals_programs:list")).content.decode()
    assert "(without a name)" in text and "Program object" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [("unpublish", "Friends who were promised something get it"), ("delete", "Its published terms stay")],
)
def test_closing_and_deleting_say_what_comes_of_what_was_promised(
    admin: Client, program: Program, name: str, words: str
) -> None:
    url = reverse(f"wagtail_referrals_programs:{name}", args=[program.pk])
    page = admin.get(url).content.decode()
    assert words in page
    assert "referenced" not in page and "Used 0 times" not in page, (
        "Wagtail does not count what refers to programs"
    )
    assert admin.post(url).status_code == 302
    assert not Program.objects.filter(pk=program.pk, live=True).exists()
    assert Terms.objects.count() == 1
