"""The pages of figures: one entry in the menu, a way from each to the others, and files of what they show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client, RequestFactory
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import make_user
from wagtail_referrals.admin.period import PeriodView
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.reports import ReportView, reports_for, reports_item

pytestmark = pytest.mark.django_db


class Small(PeriodView):
    permission = SUMMARY
    page_title = "Été"

    def sheet(self) -> tuple[list[str], Iterator[list[Any]]]:
        return ["Day", "Friends"], iter([[self.period.first, 3]])


def ask(view: type[ReportView], **query: str) -> Any:
    request = RequestFactory().get("/", query)
    request.user = make_user("admin@example.com", is_superuser=True)
    return view.as_view()(request)


def test_a_report_leads_to_the_others_one_may_see(admin: Client) -> None:
    page = BeautifulSoup(admin.get(reverse("wagtail_referrals_summary")).content, "html.parser")
    links = page.select(".referral-reports a")
    assert {reverse("wagtail_referrals_summary"), reverse("referral_feedback")} <= {
        str(link["href"]) for link in links
    }
    assert [link.get_text() for link in links if link.get("aria-current") == "page"] == ["Summary"]


def test_the_menu_leads_to_the_first_report_one_may_see() -> None:
    user = staff("reader@example.com", "view_summary")
    request = RequestFactory().get("/")
    request.user = user
    assert {report.permission for report in reports_for(user)} == {SUMMARY}
    assert reports_item().is_shown(request)
    assert reports_item().render_component(request).url == reverse("wagtail_referrals_summary")
    request.user = staff("other@example.com", "view_referral")
    assert not reports_item().is_shown(request)


def test_what_is_on_the_screen_comes_as_a_file() -> None:
    response = ask(Small, export="csv", period="custom", first="2026-11-01", last="2026-11-30")
    assert response.getvalue().decode("utf-8-sig") == "Day,Friends\r\n2026-11-01,3\r\n"
    assert 'filename="ete-2026-11-01-2026-11-30.csv"' in response["Content-Disposition"]


@pytest.mark.parametrize(
    "query",
    [
        {"export": "pdf"},
        {"export": ""},
        {"export": "csv", "period": "bogus"},
        {"export": "xlsx", "program": "x"},
    ],
)
def test_a_file_of_nonsense_is_refused(query: dict[str, str]) -> None:
    assert ask(Small, **query).status_code == 400


@pytest.mark.parametrize("name", ["summary", "top", "cohorts"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("0001-01-01", "2026-11-10"),
        ("2026-11-01", "9999-12-31"),
        ("1000-01-01", "2999-12-31"),
        ("0001-01-01", ""),
    ],
)
def test_days_that_nobody_can_reckon_with_are_refused(
    admin: Client, name: str, first: str, last: str
) -> None:
    path = reverse(f"wagtail_referrals_{name}")
    query = {"period": "custom", "first": first, "last": last}
    response = admin.get(path, query)
    assert response.status_code == 200
    assert len(BeautifulSoup(response.content, "html.parser").select(".error-message")) == 1 + (
        first < "2000" and last > "2099"
    )
    assert admin.get(path, {**query, "export": "csv"}).status_code == 400


def test_a_page_without_a_table_has_no_file() -> None:
    class Bare(ReportView):
        permission = SUMMARY

    assert ask(Bare, export="csv").status_code == 400


def test_a_file_asks_for_the_permission_of_the_page() -> None:
    client = signed_in(staff("other@example.com", "view_referral"))
    response = client.get(reverse("wagtail_referrals_summary"), {"export": "csv"})
    assert response.status_code in (302, 403)
