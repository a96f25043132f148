"""Settings of a site: what they change, and that looking at them writes nothing."""

from __future__ import annotations

from datetime import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from wagtail.models import Site

from tests.admin.conftest import signed_in, staff
from tests.admin.forms import values_of
from tests.admin.rows import make_program
from tests.admin.test_program_form import ADD, SENTENCE, errors_of, start
from wagtail_referrals.messages import Limits
from wagtail_referrals.programs import return_days
from wagtail_referrals.site.look import look_of
from wagtail_referrals.site.settings import ReferralSettings, limits_of, sender_of, settings_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.get(is_default_site=True)


def edit_url(site: Site) -> str:
    return reverse("wagtailsettings:edit", args=["wagtail_referrals", "referralsettings", site.pk])


def save(client: Client, site: Site, **changes: str) -> Any:
    values = values_of(client.get(edit_url(site)).content.decode())
    return client.post(edit_url(site), values | changes)


def test_looking_writes_nothing_and_saving_does(admin: Client, site: Site) -> None:
    assert admin.get(edit_url(site)).status_code == 200
    assert not ReferralSettings.objects.exists()
    assert save(admin, site, return_days="30", sender_name="Anna").status_code == 302
    assert save(admin, site, sender_email="anna@shop.example").status_code == 302
    row = ReferralSettings.objects.get()
    assert (row.site, row.return_days, row.sender_name) == (site, 30, "Anna")
    assert str(row) == "Referral programs", "no name of a customer, no address"


def test_who_may_not_change_them_does_not_see_them(site: Site) -> None:
    assert signed_in(staff("a@example.com", "view_referral")).get(edit_url(site)).status_code == 302
    assert signed_in(staff("b@example.com", "change_referralsettings")).get(edit_url(site)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour_ground": "blue"}, "six digits"),
        ({"colour_ground": "#ffffff", "colour_ink": "#eeeeee"}, "Nobody can read this text on this ground"),
        ({"return_days": "0"}, "greater than or equal to 1"),
        ({"sender_email": "nobody"}, "valid email"),
        ({"sender_name": "Anna\r\nBcc: all@shop.example"}, "in one line"),
        ({"quiet_from": ""}, "Give both hours, or none."),
        ({"quiet_until": ""}, "Give both hours, or none."),
        ({"most_a_week": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said(admin: Client, site: Site, changes: dict[str, str], words: str) -> None:
    assert words in errors_of(save(admin, site, **changes))
    assert not ReferralSettings.objects.exists()


def test_they_are_believed_without_a_query_until_they_change(
    admin: Client, site: Site, django_assert_num_queries: Any
) -> None:
    save(admin, site, sender_name="Anna")
    assert settings_of(site.pk).sender_name == "Anna"
    with django_assert_num_queries(0):
        settings_of(site.pk), settings_of(None), settings_of(site.pk + 1)
    save(admin, site, sender_name="Bea")
    assert settings_of(site.pk).sender_name == "Bea"
    ReferralSettings.objects.all().delete()
    assert settings_of(site.pk).sender_name == ""


def test_quiet_hours_and_a_limit_are_there_until_an_editor_takes_them_away(admin: Client, site: Site) -> None:
    assert limits_of(site.pk) == limits_of(None) == Limits(time(21), time(8), 3)
    assert save(admin, site, quiet_from="22:30", quiet_until="06:00", most_a_week="5").status_code == 302
    assert limits_of(site.pk) == Limits(time(22, 30), time(6), 5)
    assert save(admin, site, quiet_from="", quiet_until="", most_a_week="").status_code == 302
    assert limits_of(site.pk) == Limits()


def test_mails_are_from_who_is_set(site: Site, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Shop <hello@shop.example>"
    assert sender_of(site.pk) == sender_of(None) == ""
    row = ReferralSettings.objects.create(site=site, sender_name="Zoé, of the shop")
    assert sender_of(site.pk) == '"Zoé, of the shop" <hello@shop.example>'
    row.sender_email = "zoe@shop.example"
    row.save()
    assert sender_of(site.pk) == '"Zoé, of the shop" <zoe@shop.example>'
    row.sender_name = ""
    row.save()
    assert sender_of(site.pk) == "Shop <zoe@shop.example>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (None, ("#102a43", "#ffffff", "#f7c948")),
        ({"colour_accent": "#00ff00"}, ("#102a43", "#ffffff", "#00ff00")),
        # White on a white ground, if the site's text went with it.
        ({"colour_ground": "#ffffff"}, ("#ffffff", "#24352d", "#f7c948")),
    ],
)
def test_a_page_without_colours_has_those_of_the_site(page: Any, expected: tuple[str, str, str]) -> None:
    site = ReferralSettings(colour_ground="#102a43", colour_ink="#ffffff", colour_accent="#f7c948")
    look = look_of(SimpleNamespace(**page) if page is not None else None, site)
    assert (look.ground, look.ink, look.accent) == expected


WARNING = "Rewards are given after 14 days, but orders can be returned for 30"


def hints(client: Client, **changes: str) -> str:
    return " ".join(client.post(reverse(SENTENCE), start(client) | changes).json()["hints"])


def test_a_waiting_period_shorter_than_the_time_to_return_is_said(admin: Client, site: Site) -> None:
    assert WARNING not in hints(admin, hold_days="14")
    save(admin, site, return_days="30")
    assert WARNING in hints(admin, hold_days="14")
    assert "can be returned" not in hints(admin, hold_days="30")
    # It is given to the friend at once in any case.
    assert "can be returned" not in hints(admin, hold_days="14", **{"rules-1-DELETE": "on"})


def test_ready_made_programs_wait_as_long_as_an_order_can_be_returned(admin: Client, site: Site) -> None:
    assert start(admin)["hold_days"] == "14"
    save(admin, site, return_days="30")
    assert start(admin)["hold_days"] == "30"
    assert b"30 days after delivery" in admin.get(reverse(ADD)).content


def test_a_program_of_every_site_waits_for_the_most_patient_one(site: Site) -> None:
    other = Site.objects.create(hostname="boutique.example", root_page=site.root_page)
    ReferralSettings.objects.create(site=site, return_days=14)
    assert (return_days(None), return_days(other.pk)) == (14, None)
    ReferralSettings.objects.create(site=other, return_days=60)
    assert (return_days(None), return_days(other.pk), return_days(site.pk)) == (60, 60, 14)
    assert make_program(site=other).site == other
    cache.clear()
