"""Badges in the admin: written, chosen in a program, listed with their pictures."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.core.files.images import ImageFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.images import get_image_model

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.test_program_form import errors_of, publish, start
from tests.badges import make_badge
from wagtail_referrals.kinds import Registry, reward_kinds
from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import Badge

pytestmark = pytest.mark.django_db

ADD = "wagtail_referrals_badges:add"


def test_a_badge_is_written(admin: Client) -> None:
    values = values_of(admin.get(reverse(ADD)).content.decode())
    assert [values["names-0-language"], values["names-1-language"]] == ["en", "fr"]
    values |= {"names-0-name": "Ambassador", "names-1-name": "Ambassadrice", "icon": "crown"}
    response = admin.post(reverse(ADD), values)
    assert response.status_code == 302, errors_of(response)
    badge = Badge.objects.get()
    assert badge.names_by_language == {"en": "Ambassador", "fr": "Ambassadrice"}
    assert (badge.icon, str(badge)) == ("crown", "Ambassador")
    soup = BeautifulSoup(admin.get(reverse("wagtail_referrals_badges:list")).content, "html.parser")
    row = soup.select_one("table tbody tr")
    assert "Ambassador" in row.text and row.select_one("svg.referrals-badge-drawing")


def test_a_picture_takes_the_place_of_the_drawing(admin: Client, tmp_path: Path) -> None:
    PIL.Image.new("RGB", (200, 100)).save(tmp_path / "p.png")
    with (tmp_path / "p.png").open("rb") as opened:
        picture = get_image_model().objects.create(title="p", file=ImageFile(opened, name="p.png"))
    make_badge(picture=picture)
    soup = BeautifulSoup(admin.get(reverse("wagtail_referrals_badges:list")).content, "html.parser")
    image = soup.select_one("table img.referrals-badge-picture")
    assert (image["width"], image["height"], image["alt"]) == ("100", "100", "")
    assert not soup.select_one("table svg.referrals-badge-drawing")


def test_a_badge_without_a_name_is_refused(admin: Client) -> None:
    values = values_of(admin.get(reverse(ADD)).content.decode())
    assert "This field is required." in errors_of(admin.post(reverse(ADD), values))
    assert not Badge.objects.exists()


def test_a_badge_is_given_by_a_program(admin: Client) -> None:
    badge = make_badge()
    chosen = {"rules-1-kind": "badge", "rules-1-option_badge": str(badge.pk)}
    assert "Say which badge." in errors_of(
        publish(admin, start(admin, **chosen | {"rules-1-option_badge": ""}))
    )
    assert publish(admin, start(admin, **chosen)).status_code == 302
    assert parse(Terms.objects.get()).rules[1].options == {
        "badge": badge.pk,
        "badge_names": {"en": "Ambassador", "fr": "Ambassadrice"},
        "badge_icon": "leaf",
    }


def test_the_ready_made_milestones_offer_the_badge(admin: Client) -> None:
    badge = make_badge()
    values = start(admin, "milestones")
    assert values["rules-3-option_badge"] == str(badge.pk)
    assert publish(admin, values).status_code == 302
    assert parse(Terms.objects.get()).rules[3].options["badge_names"]["fr"] == "Ambassadrice"


def test_editors_write_badges_and_outsiders_do_not(outsider: Client) -> None:
    for name in ("Editors", "Moderators"):
        assert Group.objects.get(name=name).permissions.filter(codename="add_badge").exists()
    assert outsider.get(reverse(ADD)).status_code == 302
    assert signed_in(staff("e@example.com", "add_badge")).get(reverse(ADD)).status_code == 200


def test_where_it_is_registered_a_thing_can_stand_before_another() -> None:
    class Thing:
        def __init__(self, key: str) -> None:
            self.key = self.label = key

    things: Registry[Any] = Registry("thing")
    for key, before in (("a", ""), ("b", ""), ("c", "a"), ("d", "b"), ("e", "nothing")):
        things.register(Thing(key), before=before)
    assert [thing.key for thing in things] == ["c", "a", "d", "b", "e"]
    assert "badge" in reward_kinds


def test_the_shops_search_field_does_not_stand_above_the_badges(admin: Client, settings: Any) -> None:
    engines = copy.deepcopy(settings.TEMPLATES)
    engines[0]["OPTIONS"]["context_processors"].append("oscar.apps.search.context_processors.search_form")
    settings.TEMPLATES = engines
    make_badge()
    page = BeautifulSoup(admin.get(reverse("wagtail_referrals_badges:list")).content, "html.parser")
    assert page.select(".referral-title") and not page.select("[name=q]")


def filled(admin: Client, **values: str) -> dict[str, str]:
    return (
        values_of(admin.get(reverse(ADD)).content.decode())
        | {"names-0-name": "Five", "names-1-name": "Cinq"}
        | values
    )


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"criterion": "referrals"}, "Say how many friends: 1 or more."),
        ({"criterion": "referrals", "threshold": "0"}, "Say how many friends: 1 or more."),
        ({"criterion": "revenue"}, "Say for how much, in one currency at least."),
        (
            {"criterion": "revenue", "revenue_EUR": "0"},
            "An amount has to be above zero; leave the others empty.",
        ),
        ({"criterion": "first"}, "Say of which program."),
    ],
)
def test_a_criterion_that_is_not_complete_is_refused(
    admin: Client, values: dict[str, str], error: str
) -> None:
    response = admin.post(reverse(ADD), filled(admin, **values))
    assert response.status_code == 200 and error in errors_of(response)
    assert not Badge.objects.exists()


def test_a_criterion_is_written_without_what_was_typed_for_another(admin: Client) -> None:
    publish(admin, start(admin))
    program = Terms.objects.get()
    values = {
        "criterion": "referrals",
        "threshold": "5",
        "revenue_EUR": "10",
        "period": "year",
        "program_key": str(program.program_key),
    }
    assert admin.post(reverse(ADD), filled(admin, **values)).status_code == 302
    badge = Badge.objects.get()
    assert (badge.criterion, badge.threshold, badge.revenue, badge.period) == ("referrals", 5, {}, "year")
    assert badge.program_key == program.program_key and badge.to_recheck
    page = BeautifulSoup(admin.get(reverse("wagtail_referrals_badges:list")).content, "html.parser")
    row = " ".join(page.select_one("table tbody tr").text.split())
    assert f"5 friends who have ordered within one calendar year, by “{program.data['name']}” 0" in row

    Badge.objects.update(to_recheck=False)
    edit = reverse("wagtail_referrals_badges:edit", args=[badge.pk])
    values = values_of(admin.get(edit).content.decode())
    assert (values["threshold"], values["program_key"]) == ("5", str(program.program_key))
    assert admin.post(edit, values | {"names-0-name": "Five friends"}).status_code == 302
    badge.refresh_from_db()
    assert not badge.to_recheck, "its name has nothing to do with who wears it"
    changed = values | {"criterion": "revenue", "revenue_EUR": "500", "program_key": ""}
    assert admin.post(edit, changed).status_code == 302
    badge.refresh_from_db()
    assert (badge.threshold, badge.revenue, badge.to_recheck) == (None, {"EUR": "500.00"}, True)
    page = BeautifulSoup(admin.get(reverse("wagtail_referrals_badges:list")).content, "html.parser")
    assert "friends' orders for €500.00 within one calendar year" in page.select_one("table tbody tr").text


def test_the_list_of_badges_takes_the_same_queries_however_many_there_are(admin: Client) -> None:
    url = reverse("wagtail_referrals_badges:list")
    make_badge(criterion="referrals", threshold=1)
    admin.get(url)
    with CaptureQueriesContext(connection) as one:
        admin.get(url)
    for number in range(8):
        make_badge(f"B{number}", criterion="referrals", threshold=number + 1)
    with CaptureQueriesContext(connection) as many:
        admin.get(url)
    assert len(one) == len(many)
