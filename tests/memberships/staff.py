"""Who opens the admin, and what its pages say."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bs4 import BeautifulSoup, Tag
from django.test import Client
from django.urls import reverse

from oscar_integration.memberships.models import Membership, Renewal
from tests.admin.conftest import signed_in, staff
from tests.memberships.rows import NOW, make_user

PLANS = "referral_memberships_plans"
MEMBERS = "referral_memberships_members"
RENEWALS = "referral_memberships_renewals"
OVERVIEW = "referral_memberships_overview"


def administrator() -> Client:
    return signed_in(make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True))


def reader(*codenames: str, email: str = "staff@example.com") -> Client:
    """Staff with these permissions of ours and no others."""
    return signed_in(staff(email, *codenames))


def soup_of(response: Any) -> BeautifulSoup:
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def words_of(found: Any) -> str:
    return " ".join(found.get_text(" ", strip=True).split())


def main_of(response: Any) -> Tag:
    """The page without Wagtail's menu."""
    main = soup_of(response).find("main")
    assert isinstance(main, Tag)
    return main


def rows_of(response: Any) -> list[list[str]]:
    return [
        [words_of(cell) for cell in row.find_all("td")]
        for row in soup_of(response).select("table.listing tbody tr")
    ]


def file_of(response: Any) -> list[list[str]]:
    """A download as CSV."""
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def first_cells(response: Any) -> list[str]:
    return [row[0] for row in rows_of(response)]


def page_of(client: Client, membership: Membership) -> Tag:
    return main_of(client.get(reverse(f"{MEMBERS}:inspect", args=[membership.pk])))


def make_renewal(membership: Membership, state: str = Renewal.State.PLANNED, **values: Any) -> Renewal:
    """Written directly: what it looks like here is what the sweep would have written."""
    number = membership.renewals.count() + 1
    defaults: dict[str, Any] = {
        "due_at": membership.ends_at or NOW + timedelta(days=30),
        "next_attempt_at": membership.ends_at or NOW + timedelta(days=30),
        "created_at": NOW,
    }
    if state == Renewal.State.PAST_DUE:
        defaults |= {
            "currency": "EUR",
            "total": Decimal("30.00"),
            "credit": Decimal("0.00"),
            "charge": Decimal("30.00"),
            "attempt": 1,
            "refusal": "Not enough money.",
        }
    return Renewal.objects.create(membership=membership, number=number, state=state, **defaults | values)
