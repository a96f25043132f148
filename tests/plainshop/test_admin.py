"""The editor's side without Oscar: written, previewed and published, then looked at."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from tests.admin.forms import values_of
from wagtail_referrals.programs import presets
from wagtail_referrals.programs.models import Terms

pytestmark = pytest.mark.django_db

PAGES = [
    "wagtailadmin_home",
    "wagtail_referrals_programs:list",
    "wagtail_referrals_referrals:index",
    "wagtail_referrals_advocates:index",
    "wagtail_referrals_rewards:index",
    "wagtail_referrals_accounts:index",
    "wagtail_referrals_entries:index",
    "wagtail_referrals_terms:index",
    "wagtail_referrals_summary",
]


@pytest.fixture
def editor(client, make_user):
    client.force_login(make_user("alix", is_superuser=True, is_staff=True))
    return client


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens(editor, name):
    assert editor.get(reverse(name)).status_code == 200


def test_a_ready_made_program_is_published(editor):
    add = reverse("wagtail_referrals_programs:add")
    html = editor.get(add, {"preset": "give_percent_get_credit"}).content.decode()
    values = values_of(html) | {"action-publish": "1"}
    preview = reverse("wagtail_referrals_programs:preview_on_add")
    assert editor.post(preview, values).json()["is_valid"]
    assert "10% off one order" in editor.get(preview, {"mode": "en"}).content.decode()
    assert editor.post(add, values).status_code == 302
    assert len(Terms.objects.get().data["rules"]) == len(
        presets.get("give_percent_get_credit").build().rules.all()
    )


def test_wagtails_groups_may_begin_whatever_the_order_of_the_apps(db):
    # Here our app comes before wagtail.snippets, which makes the permission to publish.
    for name, codename in (("Editors", "add_program"), ("Moderators", "publish_program")):
        assert Group.objects.get(name=name).permissions.filter(codename=codename).exists()
