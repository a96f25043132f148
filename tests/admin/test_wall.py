"""The wall of thanks in the admin: by code, only who can be asked, other words ask again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.test_program_form import errors_of
from wagtail_referrals.people import (
    advocate_for,
    advocate_for_guest,
    code_of,
    leave_program,
    return_to_program,
)
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import (
    agree_to_feature,
    decline_feature,
    feature_of,
    forget_recognition,
    wall,
)
from wagtail_referrals.recognition.models import Featured

pytestmark = pytest.mark.django_db

ADD = "wagtail_referrals_wall:add"
LIST = "wagtail_referrals_wall:list"


@pytest.fixture
def camille() -> Advocate:
    user = get_user_model().objects.create_user(
        username="camille", email="camille@example.com", first_name="Camille"
    )
    return advocate_for(user)


def asked(admin: Client, advocate: Advocate, **values: str) -> Any:
    url = reverse(ADD) + f"?code={code_of(advocate)}"
    form = values_of(admin.get(url).content.decode())
    assert form["code"] == code_of(advocate)
    words = {"texts-0-text": "She brought seven friends.", "texts-1-text": "Elle a amené sept proches."}
    return admin.post(reverse(ADD), form | words | values)


def answer(admin: Client) -> str:
    page = BeautifulSoup(admin.get(reverse(LIST)).content, "html.parser")
    return " ".join(page.select("table tbody tr td")[1].text.split())


def names(language: str = "en") -> list[tuple[str, str]]:
    return [(thanks.name, thanks.text) for thanks in wall(language)]


def test_nobody_is_shown_before_they_agreed(admin: Client, camille: Advocate) -> None:
    assert asked(admin, camille).status_code == 302
    assert names() == [] and answer(admin) == "asked, no answer yet"
    agree_to_feature(camille)
    assert names() == [("Camille", "She brought seven friends.")]
    assert names("fr") == [("Camille", "Elle a amené sept proches.")]
    assert answer(admin).startswith("shown, agreed on ")
    decline_feature(camille)
    assert names() == [] and answer(admin) == "does not want to be named"


@pytest.mark.parametrize(
    "change", [{"state": "blocked"}, {"state": "paused"}, {"state": "left"}, {"public_name": ""}]
)
def test_who_is_stopped_or_has_no_name_is_gone_from_the_wall(
    admin: Client, camille: Advocate, change: dict[str, str]
) -> None:
    asked(admin, camille)
    agree_to_feature(camille)
    Advocate.objects.filter(pk=camille.pk).update(**change)
    assert names() == [] and answer(admin).startswith("agreed, but not shown")


def test_nothing_stays_of_who_leaves_or_is_deleted(admin: Client, camille: Advocate) -> None:
    asked(admin, camille)
    agree_to_feature(camille)
    forget_recognition(camille)
    assert names() == [] and feature_of(camille) is None
    asked(admin, camille)
    agree_to_feature(camille)
    camille.user.delete()
    assert names() == [] and not Featured.objects.exists()


def test_no_log_keeps_the_name_of_who_is_deleted(admin: Client, camille: Advocate) -> None:
    asked(admin, camille)
    delete = reverse("wagtail_referrals_wall:delete", args=[Featured.objects.get().pk])
    assert admin.post(delete).status_code == 302 and not Featured.objects.exists()
    asked(admin, camille)
    leave_program(camille)
    return_to_program(camille)
    camille.user.delete()
    log = ModelLogEntry.objects.exclude(content_type=None)
    assert set(log.values_list("action", flat=True)) == {"wagtail.create", "wagtail.delete", "wagtail.edit"}
    assert not [entry.label for entry in log if "Camille" in f"{entry.label} {entry.data}"]


def test_other_words_are_another_question(admin: Client, camille: Advocate) -> None:
    asked(admin, camille)
    agree_to_feature(camille)
    edit = reverse("wagtail_referrals_wall:edit", args=[Featured.objects.get().pk])
    form = values_of(admin.get(edit).content.decode())
    assert "code" not in form
    assert admin.post(edit, form).status_code == 302
    assert names() == [("Camille", "She brought seven friends.")], "nothing was changed"
    assert admin.post(edit, form | {"texts-0-text": "She knows everybody."}).status_code == 302
    assert names() == [] and answer(admin) == "asked, no answer yet"
    agree_to_feature(camille)
    assert names() == [("Camille", "She knows everybody.")]


def test_what_staff_save_does_not_overwrite_an_answer(admin: Client, camille: Advocate) -> None:
    asked(admin, camille)
    agree_to_feature(camille)
    stale = Featured.objects.get()
    decline_feature(camille)
    stale.save()
    assert names() == []


def test_only_who_can_be_asked_is_asked(admin: Client, camille: Advocate) -> None:
    guest = advocate_for_guest("lea@example.com")
    assert "They have no account" in errors_of(asked(admin, guest))
    assert "Nobody has this code." in errors_of(asked(admin, camille, code="NOBODY"))
    Advocate.objects.filter(pk=camille.pk).update(state=Advocate.State.BLOCKED)
    assert "They do not refer at present." in errors_of(asked(admin, camille))
    Advocate.objects.filter(pk=camille.pk).update(state=Advocate.State.ACTIVE)
    assert asked(admin, camille).status_code == 302
    assert "They are on the list already." in errors_of(asked(admin, camille))
    assert Featured.objects.count() == 1


def test_from_the_page_of_a_referrer(admin: Client, camille: Advocate) -> None:
    inspect = reverse("wagtail_referrals_advocates:inspect", args=[camille.pk])
    link = BeautifulSoup(admin.get(inspect).content, "html.parser").find("a", string="Thank them in public")
    assert link["href"] == reverse(ADD) + f"?code={code_of(camille)}"
    asked(admin, camille)
    page = BeautifulSoup(admin.get(inspect).content, "html.parser")
    edit = reverse("wagtail_referrals_wall:edit", args=[Featured.objects.get().pk])
    assert page.find("a", string="Your words of thanks")["href"] == edit
    assert "Where it stands: asked, no answer yet." in " ".join(page.get_text().split())
    reader = signed_in(staff("reader@example.com", "view_advocate"))
    assert "Wall of thanks" not in reader.get(inspect).content.decode()


def test_editors_write_it_and_outsiders_do_not(outsider: Client) -> None:
    for name in ("Editors", "Moderators"):
        assert Group.objects.get(name=name).permissions.filter(codename="add_featured").exists()
    assert outsider.get(reverse(ADD)).status_code == 302
    assert signed_in(staff("e@example.com", "add_featured")).get(reverse(ADD)).status_code == 200


def test_the_latest_come_first_and_the_queries_stay(
    admin: Client, django_assert_num_queries: Any, camille: Advocate
) -> None:
    for number in range(5):
        user = get_user_model().objects.create_user(username=f"u{number}", first_name=f"Name {number}")
        featured = Featured(
            advocate=advocate_for(user),
            created_at=datetime(2026, 11, number + 1, tzinfo=UTC),
            agreed_at=datetime(2026, 11, 20, tzinfo=UTC),
        )
        featured.save()
    with django_assert_num_queries(2):
        assert [thanks.name for thanks in wall("en", 3)] == ["Name 4", "Name 3", "Name 2"]
