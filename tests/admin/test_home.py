"""The panel on the first page of the admin."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_purchase, make_referral, make_reward, make_user
from wagtail_referrals.admin import home
from wagtail_referrals.admin.home import weeks
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import AttributionRequest, Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db


@pytest.fixture
def advocate(db: None) -> Advocate:
    return make_advocate()


def look(client: Client) -> BeautifulSoup | None:
    response = client.get(reverse("wagtailadmin_home"))
    assert response.status_code == 200
    found: Any = BeautifulSoup(response.content, "html.parser").select_one("#referrals-content")
    return found


def lines(panel: Any) -> dict[str, list[str]]:
    return {
        next(row.th.stripped_strings): [cell.get_text(" ", strip=True) for cell in row.select("td")]
        for row in panel.select("tbody tr")
    }


def links(panel: Any) -> list[str]:
    return [str(link["href"]) for link in panel.select(".referral-home__waiting a")]


def test_what_waits_leads_to_where_it_is_listed(admin: Client, terms: Terms, advocate: Advocate) -> None:
    held = make_referral(terms, advocate, state=Referral.State.TO_CHECK, reason="review")
    make_referral(
        terms, advocate, state=Referral.State.TO_CHECK, postponed_until=timezone.now() + timedelta(1)
    )
    make_reward(held, "15.00", state=Reward.State.FAILED)
    for reference, state in (("1", "waiting"), ("2", "refused"), ("", "waiting")):
        AttributionRequest.objects.create(
            kind=AttributionRequest.Kind.REPORTED,
            advocate=advocate,
            reference=reference,
            state=state,
            created_at=NOW,
        )
    panel: Any = look(admin)
    assert [item.get_text() for item in panel.select(".referral-home__waiting li")] == [
        "1 referral to check",
        "1 request about an order",
        "1 reward that could not be given",
    ]
    for url in links(panel):
        assert admin.get(url).status_code == 200


def test_a_reviewer_reads_no_figures_and_a_reader_is_asked_for_nothing(
    terms: Terms, advocate: Advocate
) -> None:
    make_referral(terms, advocate, state=Referral.State.TO_CHECK, reason="review")
    reviewer: Any = look(signed_in(staff("reviewer@example.com", "review_referral", "view_referral")))
    assert links(reviewer)
    assert not reviewer.select("table")
    reader: Any = look(signed_in(staff("reader@example.com", "view_summary")))
    assert not links(reader)
    assert reader.select("table")
    assert "Nothing waits" not in reader.get_text()


def test_nobody_else_finds_it(outsider: Client, terms: Terms, advocate: Advocate) -> None:
    make_referral(terms, advocate, state=Referral.State.TO_CHECK, reason="review")
    assert look(outsider) is None


def test_this_week_against_as_many_days_of_the_last(
    admin: Client, terms: Terms, advocate: Advocate, time_machine: Any
) -> None:
    # NOW is Tuesday, 10 November 2026.
    time_machine.move_to(NOW + timedelta(days=1), tick=False)
    for day, number in ((-1, 2), (0, 1), (-7, 3), (-8, 1), (-4, 5), (-9, 7)):
        for _each in range(number):
            make_referral(
                terms, advocate, make_user(f"{day}-{_each}@example.com"), moment=NOW + timedelta(days=day)
            )
    make_purchase(Referral.objects.earliest("pk"), "1", "80.00", moment=NOW)
    found = lines(look(admin))
    # Not the five of Friday last week, which has not come yet this week, nor the seven of the Sunday before it.
    assert found["Friends"] == ["3", "4"]
    assert found["Visits"] == ["3", "4"]
    assert found["New customers"] == ["1", "0"]
    assert found["Revenue"] == ["€80.00", "–"]
    assert (weeks().first.isoformat(), weeks().last.isoformat()) == ("2026-11-09", "2026-11-11")


def test_the_week_begins_where_the_site_is(settings: Any, time_machine: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    time_machine.move_to("2026-11-08T12:00:00Z", tick=False)
    assert weeks().first.isoformat() == "2026-11-09"


def test_bad_luck_leaves_the_page_as_it_was(
    admin: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        Referral.objects.get(pk="x")

    monkeypatch.setattr(home, "weeks", fail)
    with caplog.at_level(logging.ERROR, logger="wagtail_referrals"):
        assert look(admin) is None
    assert "without the referrals" in caplog.text


def test_it_costs_few_queries(
    admin: Client, terms: Terms, advocate: Advocate, django_assert_max_num_queries: Any
) -> None:
    make_referral(terms, advocate, state=Referral.State.TO_CHECK, reason="review")
    look(admin)
    user = make_user("boss@example.com", is_superuser=True)
    with django_assert_max_num_queries(6):
        home.waiting_for(user)
        weeks()
    # With what Wagtail asks for its own.
    with django_assert_max_num_queries(30):
        look(admin)
