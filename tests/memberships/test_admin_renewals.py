"""Renewals in the admin: what is due, what was declined and why, and trying again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from oscar_integration.memberships.models import Membership, Plan, Renewal
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.staff import (
    MEMBERS,
    RENEWALS,
    administrator,
    file_of,
    first_cells,
    main_of,
    make_renewal,
    page_of,
    reader,
    rows_of,
    soup_of,
    words_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

INDEX = f"{RENEWALS}:index"
PAID: dict[str, Any] = {
    "currency": "EUR",
    "total": Decimal("30.00"),
    "credit": Decimal("12.50"),
    "charge": Decimal("17.50"),
    "order_number": "100042",
}


@pytest.fixture
def admin() -> Client:
    return administrator()


@pytest.fixture
def three(plan: Plan) -> dict[str, Renewal]:
    """Léa's is paid, Noé's was declined, Hugo's is announced."""
    lea, noe, hugo = (
        give(make_user(f"{name}@example.com", name.title()), plan) for name in ("lea", "noe", "hugo")
    )
    Membership.objects.update(renews=True)
    return {
        "Lea": make_renewal(
            lea, "done", ended_at=NOW - timedelta(days=9), due_at=NOW - timedelta(days=9), **PAID
        ),
        "Noe": make_renewal(
            noe, "past_due", due_at=NOW - timedelta(days=1), next_attempt_at=NOW + timedelta(days=2)
        ),
        "Hugo": make_renewal(
            hugo, currency="EUR", announced_total=Decimal("39.00"), due_at=NOW + timedelta(days=5)
        ),
    }


def test_renewals_are_downloaded_with_their_amounts(admin: Client, three: dict[str, Renewal]) -> None:
    head, *rows = file_of(admin.get(reverse(INDEX), {"export": "csv"}))
    # Buttons stay on the screen.
    assert head == [
        "Customer", "Plan", "Due", "State", "Total", "Currency", "Credit", "Card", "Refusals", "Next attempt",
    ]  # fmt: skip
    amounts = {row[0]: row[4:8] for row in rows}
    assert amounts["Lea"] == ["30.00", "EUR", "12.50", "17.50"]
    assert amounts["Hugo"] == ["39.00", "EUR", "", ""]
    assert admin.get(reverse(INDEX), {"due_at_from": "soon", "export": "csv"}).status_code == 400


def test_a_row_says_what_it_costs_and_why_it_was_refused(admin: Client, three: dict[str, Renewal]) -> None:
    rows = {row[0]: row[1:] for row in rows_of(admin.get(reverse(INDEX)))}
    assert rows["Hugo"] == [
        "Monthly", "03/15/2026", "to come", "€39.00", "", "", "", "04/10/2026", "",
    ]  # fmt: skip
    assert rows["Noe"] == [
        "Monthly", "03/09/2026", "card declined", "€30.00", "", "€30.00", "1: Not enough money.", "03/12/2026",
        "Try again now",
    ]  # fmt: skip
    assert rows["Lea"] == [
        "Monthly", "03/01/2026", "paid", "€30.00", "€12.50", "€17.50", "", "", "",
    ]  # fmt: skip


FOUND = [
    ({}, ["Hugo", "Noe", "Lea"]),
    ({"state": ["planned", "past_due"]}, ["Hugo", "Noe"]),
    ({"due_at_from": "2026-03-10", "due_at_to": "2026-03-31"}, ["Hugo"]),
    ({"ended_at_from": "2026-03-01"}, ["Lea"]),
    ({"q": "noe@example.com"}, ["Noe"]),
    ({"q": "100042"}, ["Lea"]),
    ({"state": "bogus"}, []),
    ({"plan": "bogus"}, []),
    ({"due_at_from": "soon"}, []),
]


@pytest.mark.parametrize(("query", "names"), FOUND)
def test_renewals_are_found(
    admin: Client, three: dict[str, Renewal], query: dict[str, Any], names: list[str]
) -> None:
    assert first_cells(admin.get(reverse(INDEX), query)) == names


def test_renewals_are_found_by_plan(admin: Client, three: dict[str, Renewal]) -> None:
    other = give(make_user("jade@example.com", "Jade"), make_plan("yearly"))
    make_renewal(other)
    assert first_cells(admin.get(reverse(INDEX), {"plan": other.plan_id})) == ["Jade"]


def test_a_declined_one_is_tried_again(admin: Client, three: dict[str, Renewal]) -> None:
    page = main_of(admin.get(reverse(INDEX), {"state": "past_due"}))
    form = next(form for form in page.find_all("form") if "try" in str(form["action"]))
    fields = {str(field["name"]): str(field["value"]) for field in form.find_all("input")}
    assert fields["next"] == f"{reverse(INDEX)}?state=past_due"
    response = admin.post(str(form["action"]), fields, follow=True)
    assert "The card is charged again within minutes." in words_of(soup_of(response))
    # Back on the listing as it was.
    assert first_cells(response) == ["Noe"]
    three["Noe"].refresh_from_db()
    assert three["Noe"].next_attempt_at == NOW
    entry = ModelLogEntry.objects.get(action="referral_memberships.try_again")
    assert entry.object_id == str(three["Noe"].membership_id)


def test_from_the_page_of_the_member_too(admin: Client, three: dict[str, Renewal]) -> None:
    membership = three["Noe"].membership
    page = page_of(admin, membership)
    form = next(form for form in page.find_all("form") if "try" in str(form["action"]))
    fields = {str(field["name"]): str(field["value"]) for field in form.find_all("input")}
    response = admin.post(str(form["action"]), fields)
    assert response["Location"] == reverse(f"{MEMBERS}:inspect", args=[membership.pk])


@pytest.mark.parametrize("name", ["Lea", "Hugo"])
def test_what_was_not_declined_is_not_tried_again(
    admin: Client, three: dict[str, Renewal], name: str
) -> None:
    before = three[name].next_attempt_at
    path = reverse(f"{RENEWALS}:try", args=[three[name].pk])
    assert "nothing to try again" in words_of(soup_of(admin.post(path, follow=True)))
    three[name].refresh_from_db()
    assert three[name].next_attempt_at == before
    assert not ModelLogEntry.objects.filter(action="referral_memberships.try_again").exists()


def test_nobody_is_led_elsewhere(admin: Client, three: dict[str, Renewal]) -> None:
    path = reverse(f"{RENEWALS}:try", args=[three["Noe"].pk])
    assert admin.post(path, {"next": "https://evil.example/"})["Location"] == reverse(INDEX)
    assert admin.get(path).status_code == 405


def test_who_only_reads_has_no_button(three: dict[str, Renewal]) -> None:
    client = reader("view_renewal")
    response = client.get(reverse(INDEX))
    assert first_cells(response) == ["Hugo", "Noe", "Lea"]
    page = main_of(response)
    assert not page.find_all("form", attrs={"method": "post"})
    assert not [link for link in page.find_all("a") if "/members/" in str(link.get("href"))]
    before = three["Noe"].next_attempt_at
    client.post(reverse(f"{RENEWALS}:try", args=[three["Noe"].pk]))
    three["Noe"].refresh_from_db()
    assert three["Noe"].next_attempt_at == before


def test_many_cost_no_more_than_three(admin: Client, plan: Plan) -> None:
    def fill(numbers: range) -> None:
        for number in numbers:
            make_renewal(give(make_user(f"m{number}@example.com"), plan), "past_due")

    def cost(rows: int) -> int:
        admin.get(reverse(INDEX))
        with CaptureQueriesContext(connection) as queries:
            assert len(rows_of(admin.get(reverse(INDEX)))) == rows
        return len(queries)

    fill(range(3))
    few = cost(3)
    fill(range(3, 30))
    assert cost(25) == few


def test_no_renewal_yet(admin: Client) -> None:
    assert "There are no renewals to display." in words_of(main_of(admin.get(reverse(INDEX))))
