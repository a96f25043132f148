"""The rows of the summary's tables lead to the referrals that they count."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from wagtail.models import Page

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_program, make_referral, make_user
from tests.audiences import NEVER_BOUGHT, make_audience
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.django_db

LIST = "wagtail_referrals_referrals:index"
DELETED = 987654


@pytest.fixture
def home() -> Page:
    return Page.objects.order_by("-depth", "pk")[0]


@pytest.fixture
def friends(terms: Terms, home: Page) -> None:
    """Of two programs, by two pages, in three languages; one typed a code."""
    terms.program.landing_page = home
    terms.program.save()
    new = make_program(
        "percentage_back", name="Newcomers", audience=make_audience(NEVER_BOUGHT, name="New & shy")
    )
    others = Terms.objects.get(program_key=new.key)
    camille = make_advocate()
    for number, (of, language, page) in enumerate(
        (
            (terms, "fr", home.pk),
            (terms, "fr", DELETED),
            (terms, "pt-br", None),
            (others, "", home.pk),
            (others, "en", home.pk),
        )
    ):
        referral = make_referral(of, camille, make_user(f"friend{number}@example.com"))
        Visit.objects.filter(pk=referral.claim.visit_id).update(language=language, page_id=page)
    typed = make_referral(terms, camille, make_user("typed@example.com"))
    Claim.objects.filter(pk=typed.claim_id).update(
        visit=None, source=Claim.Source.CODE, language="fr", created_at=NOW
    )


def soup_of(client: Client, path: str, **query: Any) -> BeautifulSoup:
    response = client.get(path, query)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def tables(client: Client) -> dict[str, dict[str, tuple[int, str]]]:
    """Of each table: how many friends a row counts, and where it leads."""
    found: dict[str, dict[str, tuple[int, str]]] = {}
    soup = soup_of(client, reverse("wagtail_referrals_summary"), period="month", all="page")
    for region in soup.select(".referral-scroll[aria-label^='By ']"):
        columns = [cell.get_text(strip=True) for cell in region.select("thead th")]
        place = columns.index("Friends") - 1
        found[str(region["aria-label"])] = {
            row.th.get_text(strip=True): (
                int(row.select("td")[place].select_one(".referral-reading__now").get_text(strip=True)),
                str(row.a["href"]) if row.a else "",
            )
            for row in region.select("tbody tr")
        }
    return found


def listed(client: Client, path: str) -> int:
    return len(soup_of(client, path).select("table.listing tbody tr"))


def test_each_row_leads_to_as_many_referrals_as_it_counts(admin: Client, friends: None, home: Page) -> None:
    found = tables(admin)
    assert {
        title: {row: number for row, (number, _url) in rows.items()} for title, rows in found.items()
    } == {
        "By program": {"Newcomers": 2, "Give 10%, get €15": 4},
        "By the way a link was shared": {"A link that names no way": 5, "Typed code": 1},
        "By landing page": {
            home.title: 3,
            f"Deleted page {DELETED}": 1,
            "No landing page: the link led on, or a code was typed": 2,
        },
        "By audience": {"Everybody": 4, "New & shy": 2},
        "By language": {"Français": 3, "English": 1, "Português Brasileiro": 1, "Not known": 1},
    }
    for title, rows in found.items():
        for row, (number, url) in rows.items():
            assert url, f"{title}, {row}: leads nowhere"
            assert listed(admin, url) == number, f"{title}, {row}"


def test_the_list_says_by_what_it_was_filtered(admin: Client, friends: None, home: Page) -> None:
    for query, words in (
        ({"page": str(home.pk)}, home.title),
        ({"page": str(DELETED)}, str(DELETED)),
        ({"page": "-"}, "No landing page"),
        ({"language": "fr"}, "Français"),
        ({"audience": "New & shy"}, "New & shy"),
        ({"audience": "-"}, "Everybody"),
    ):
        pills = soup_of(admin, reverse(LIST), **query).select(".w-active-filters, .w-pill")
        assert words in " ".join(pill.get_text(" ", strip=True) for pill in pills), query


@pytest.mark.parametrize(
    "query", [{"page": "x"}, {"page": "9" * 30}, {"page": "\0"}, {"language": "xx"}, {"audience": "Nobody"}]
)
def test_what_there_is_not_finds_nothing(admin: Client, friends: None, query: dict[str, str]) -> None:
    response = admin.get(reverse(LIST), query)
    assert response.status_code == 200
    assert not BeautifulSoup(response.content, "html.parser").select("table.listing tbody tr")


def test_nothing_leads_to_referrals_that_one_may_not_see(friends: None) -> None:
    reader = signed_in(staff("reader@example.com", "view_summary"))
    assert all(not url for rows in tables(reader).values() for _number, url in rows.values())
