"""The page that explains a referral, and the decision about what a check held."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_discount, make_purchase, make_referral, make_user
from wagtail_referrals import credit
from wagtail_referrals.admin.review import seal_of
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.trust.models import Decision

pytestmark = pytest.mark.django_db


def page_of(client: Client, referral: Referral) -> BeautifulSoup:
    response = client.get(reverse("wagtail_referrals_referrals:inspect", args=[referral.pk]))
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def text_of(soup: BeautifulSoup) -> str:
    return " ".join(soup.find("div", class_="referral-record").get_text(" ", strip=True).split())


@pytest.fixture
def held(terms: Terms) -> Referral:
    """An order that was paid and delivered long ago, to an address of the referrer: only the word is missing."""
    moment = NOW - timedelta(days=40)
    referral = make_referral(terms, make_advocate(), make_user("lea@example.com", "Léa"), moment=moment)
    observed = {
        "paid_at": moment.isoformat(),
        "shipped_at": (moment + timedelta(days=1)).isoformat(),
        "cancelled": False,
        "refunded": "0",
    }
    purchase = make_purchase(referral, "held-1", "60.00", moment=moment, observed=observed)
    Decision.objects.create(
        referral=referral,
        purchase=purchase,
        check_key="same_address",
        outcome=Decision.Outcome.HOLD,
        reason="same_address",
        created_at=moment,
    )
    settle(referral.pk)
    referral.refresh_from_db()
    assert referral.state == Referral.State.TO_CHECK
    return referral


def balance(referral: Referral) -> Decimal:
    return credit.available(referral.advocate.user, "EUR")


def decide(client: Client, referral: Referral, outcome: str, note: str = "", seen: str | None = None) -> Any:
    """As the page does: with the seal of what was on the screen."""
    if seen is None:
        field = page_of(client, referral).find("input", {"name": "seen"})
        seen = field["value"] if field else "nothing"
    return client.post(
        reverse("wagtail_referrals_referrals:review", args=[referral.pk]),
        {"outcome": outcome, "note": note, "seen": seen},
        follow=True,
    )


def test_the_page_says_what_happened_and_what_it_waits_for(admin: Client, held: Referral) -> None:
    make_discount(held, held.purchases.get(), "6.50")
    text = text_of(page_of(admin, held))
    assert "Léa, referred by Camille" in text
    assert "The order goes to an address of the referrer" in text
    assert "Order held-1" in text
    assert "€64.90 (€60.00 of it counts)" in text
    assert "Paid on" in text
    assert "Delivered on" in text
    assert "€6.50 in order held-1" in text
    assert "Camille €15.00 of referral credit €15.00 €0.00 to check" in text
    assert "The friend came by a share link, and the invitation was saved." in text
    assert "The friend placed order held-1 over €64.90." in text
    assert "when your customer refers a friend, the friend gets 10% off one order" in text.lower()


def test_the_terms_are_those_of_then(admin: Client, held: Referral) -> None:
    program = Program.objects.get()
    program.rules.update(percent=50)
    program.name = "Renamed"
    program.save()
    text = text_of(page_of(admin, held))
    assert "10% off" in text
    assert "50%" not in text


def test_a_waiting_period_has_a_date(admin: Client, held: Referral) -> None:
    Referral.objects.filter(pk=held.pk).update(
        state="waiting_period", reason="hold", hold_until=NOW.replace(year=2099, month=3, day=2)
    )
    assert "Waiting for the end of the waiting period, on March 2, 2099" in text_of(page_of(admin, held))


def test_the_order_leads_to_the_shop(admin: Client, held: Referral, settings: Any) -> None:
    from wagtail_referrals.referrals import get_shop

    link = page_of(admin, held).find("a", string="Order held-1")
    assert link is not None
    assert link["href"] == get_shop().order_url("held-1")


def test_approving_pays_once(admin: Client, held: Referral) -> None:
    assert balance(held) == 0
    response = decide(admin, held, "approve", "Flatmates")
    assert "The referral was approved." in response.content.decode()
    held.refresh_from_db()
    assert held.state == Referral.State.REWARDED
    assert balance(held) == Decimal("15.00")
    decide(admin, held, "approve")
    assert balance(held) == Decimal("15.00")
    assert Entry.objects.count() == 1
    assert "Approved by a member of staff. Flatmates (Alix)" in text_of(page_of(admin, held))


def test_two_editors_at_once(admin: Client, held: Referral) -> None:
    """Both opened the page before anybody had decided; the second one is told, and nothing is undone."""
    other = signed_in(staff("second@example.com", "view_referral", "review_referral"))
    seen = seal_of(held)
    decide(admin, held, "approve", seen=seen)
    response = decide(other, held, "refuse", "No", seen=seen)
    assert "Somebody has decided in the meantime" in response.content.decode()
    held.refresh_from_db()
    assert held.state == Referral.State.REWARDED
    assert held.decisions.filter(check_key="reviewer").count() == 1
    assert balance(held) == Decimal("15.00")


def test_refusing_needs_a_reason(admin: Client, held: Referral) -> None:
    response = decide(admin, held, "refuse", "  ")
    assert "Say why: it is kept in the timeline." in response.content.decode()
    assert not held.decisions.filter(check_key="reviewer").exists()
    decide(admin, held, "refuse", "The same person")
    held.refresh_from_db()
    assert held.state == Referral.State.REFUSED
    assert balance(held) == 0
    assert "Refused by a member of staff. The same person" in text_of(page_of(admin, held))


def test_a_decision_can_be_taken_back(admin: Client, held: Referral) -> None:
    decide(admin, held, "approve")
    page = page_of(admin, held)
    assert page.find("button", {"value": "refuse"})
    assert not page.find("button", {"value": "approve"})
    decide(admin, held, "refuse", "It was the same person after all")
    held.refresh_from_db()
    assert held.state in (Referral.State.REFUSED, Referral.State.TAKEN_BACK)
    assert balance(held) == 0
    decide(admin, held, "approve")
    assert balance(held) == Decimal("15.00")


@pytest.mark.parametrize("data", [{}, {"outcome": "hold", "seen": "0"}, {"outcome": "approve"}])
def test_a_decision_that_is_none(admin: Client, held: Referral, data: dict[str, str]) -> None:
    response = admin.post(reverse("wagtail_referrals_referrals:review", args=[held.pk]), data, follow=True)
    assert "Choose to approve or to refuse." in response.content.decode()
    assert not held.decisions.filter(check_key="reviewer").exists()


def test_what_nobody_held_is_not_decided(admin: Client, referral: Referral) -> None:
    assert not page_of(admin, referral).find("section", class_="referral-review")
    response = decide(admin, referral, "approve", seen=seal_of(referral))
    assert "There is nothing to check here any more." in response.content.decode()
    assert not referral.decisions.exists()


def test_people_who_are_gone_are_still_explained(admin: Client, held: Referral) -> None:
    held.friend.delete()
    held.advocate.user.delete()
    text = text_of(page_of(admin, held))
    assert f"deleted customer (referral {held.pk})" in text
    assert "lea@example.com" not in text
    assert "Camille" not in text


def test_the_page_of_a_reward_is_its_referrals(admin: Client, held: Referral) -> None:
    reward = held.rewards.get()
    response = admin.get(reverse("wagtail_referrals_rewards:inspect", args=[reward.pk]))
    assert response["Location"] == reverse("wagtail_referrals_referrals:inspect", args=[held.pk])


def test_links_are_only_shown_to_those_who_may_follow_them(held: Referral) -> None:
    page = page_of(signed_in(staff("reader@example.com", "view_referral")), held)
    hrefs = {link.get("href", "") for link in page.find("div", class_="referral-record").find_all("a")}
    assert not any("/referrals/referrers/" in href or "/referrals/terms/" in href for href in hrefs)
