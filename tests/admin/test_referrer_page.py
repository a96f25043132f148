"""The page of a referrer: what they brought, in words, and no more than one may see."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.admin.conftest import signed_in, staff
from tests.admin.rows import NOW, make_advocate, make_purchase, make_referral, make_reward, make_user
from tests.badges import make_badge
from wagtail_referrals import credit, people
from wagtail_referrals.admin import advocates
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import pick_terms
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.recognition.models import BadgeAward
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import RemovedVisits, Visit

pytestmark = pytest.mark.django_db


def url_of(advocate: Advocate) -> str:
    return reverse("wagtail_referrals_advocates:inspect", args=[advocate.pk])


def figures(client: Client, advocate: Advocate) -> dict[str, str]:
    response = client.get(url_of(advocate))
    assert response.status_code == 200
    soup = BeautifulSoup(response.content, "html.parser")
    found = {}
    for item in soup.select(".referral-figures > div"):
        (label,), (value,), (meaning,) = (item.select(part) for part in ("dt", "strong", ".referral-help"))
        assert meaning.get_text(strip=True), "a number without its meaning"
        found[label.get_text(strip=True)] = value.get_text(strip=True)
    return found


@pytest.fixture
def camille(terms: Terms) -> Advocate:
    advocate = make_advocate()
    rewarded = make_referral(
        terms, advocate, make_user("lea@example.com", "Léa"), state=Referral.State.REWARDED, qualified_at=NOW
    )
    purchase = make_purchase(rewarded, "1001")
    make_reward(rewarded, "15.00", "15.00", purchase=purchase, occasion="purchase:1")
    waiting = make_referral(
        terms, advocate, make_user("tom@example.com"), state=Referral.State.TO_CHECK, qualified_at=NOW
    )
    purchase = make_purchase(waiting, "1002", "50.00", currency="USD")
    make_reward(waiting, "10.00", currency="USD", purchase=purchase, occasion="purchase:2")
    make_referral(terms, advocate, make_user("new@example.com"))
    Visit.objects.create(advocate=advocate, created_at=NOW)
    credit.grant(user=advocate.user, currency="EUR", amount=Decimal(15), key="k", now=NOW)
    return advocate


ALL = {
    "Visits": "4",
    "Friends": "3",
    "Have ordered": "2",
    "Rewarded": "1",
    "To check": "1",
    "Orders of their friends": "€104.90 · $54.90",
    "Given to them": "€15.00",
    "Still to come": "$10.00",
    "Balance": "€15.00",
}


def test_what_they_brought_is_said_with_what_it_means(admin: Client, camille: Advocate) -> None:
    assert figures(admin, camille) == ALL


def test_visits_that_were_removed_still_count(admin: Client, camille: Advocate) -> None:
    RemovedVisits.objects.create(advocate=camille, channel="qr", number=1000)
    RemovedVisits.objects.create(advocate=camille, channel="", number=300)
    assert figures(admin, camille)["Visits"] == "1,304"


def test_what_is_set_aside_and_to_recover_is_said(admin: Client, camille: Advocate) -> None:
    credit.claw_back(
        user=camille.user, currency="EUR", amount=Decimal(20), key="c", source="reward:1", now=NOW
    )
    text = admin.get(url_of(camille)).content.decode()
    assert "Still to recover: €5.00, which was taken back after it had been spent." in text
    assert figures(admin, camille)["Balance"] == "€0.00"


def test_one_sees_no_more_than_one_may(camille: Advocate) -> None:
    reader = signed_in(staff("reader@example.com", "view_advocate"))
    assert set(figures(reader, camille)) == {"Visits", "Friends", "Have ordered", "Rewarded", "To check"}
    text = reader.get(url_of(camille)).content.decode()
    assert "Léa" not in text and "May they refer?" not in text and "All of their friends" not in text
    finance = signed_in(staff("finance@example.com", "view_advocate", "view_account", "view_reward"))
    assert set(ALL) - set(figures(finance, camille)) == {"Orders of their friends"}


def test_badges_are_named_and_the_page_stays_cheap(admin: Client, camille: Advocate) -> None:
    badge = make_badge("First friend")
    BadgeAward.objects.create(badge=badge, advocate=camille, awarded_at=NOW - timedelta(days=1))
    admin.get(url_of(camille))
    with CaptureQueriesContext(connection) as queries:
        text = admin.get(url_of(camille)).content.decode()
    assert "First friend" in text
    assert len(queries) <= 30


def test_who_left_comes_back_by_themselves(admin: Client, camille: Advocate) -> None:
    Advocate.objects.filter(pk=camille.pk).update(state=Advocate.State.LEFT)
    text: Any = admin.get(url_of(camille)).content.decode()
    assert "Let them refer again" not in text
    assert "Pause" in text and "Block" in text


@pytest.mark.parametrize("stops", [["paused"], ["blocked"], ["paused", "blocked"]])
def test_staff_do_not_bring_back_who_left_by_stopping_them_first(
    admin: Client, camille: Advocate, stops: list[str]
) -> None:
    people.leave_program(camille)
    path = reverse("wagtail_referrals_advocates:state", args=[camille.pk])
    for state in (*stops, "active"):
        assert admin.post(path, {"state": state}).status_code == 302
    camille.refresh_from_db()
    assert camille.state == Advocate.State.LEFT
    assert admin.post(path, {"state": "active"}).status_code == 400
    # They do it themselves, and are then like everybody else.
    assert people.return_to_program(camille)
    for state in (*stops, "active"):
        admin.post(path, {"state": state})
    camille.refresh_from_db()
    assert camille.state == Advocate.State.ACTIVE


def test_who_leaves_while_staff_look_at_the_page_has_left(
    admin: Client, camille: Advocate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the moment at which the row is read and that at which it is written."""
    read = advocates.get_object_or_404

    def read_and_leave(*args: Any, **kwargs: Any) -> Any:
        found = read(*args, **kwargs)
        people.leave_program(Advocate.objects.get(pk=camille.pk))
        return found

    Advocate.objects.filter(pk=camille.pk).update(state=Advocate.State.ACTIVE)
    monkeypatch.setattr(advocates, "get_object_or_404", read_and_leave)
    path = reverse("wagtail_referrals_advocates:state", args=[camille.pk])
    assert admin.post(path, {"state": "active"}).status_code == 400
    camille.refresh_from_db()
    assert camille.state == Advocate.State.LEFT


def test_of_a_deleted_customer_nothing_is_decided_any_more(admin: Client, camille: Advocate) -> None:
    camille.user.delete()
    camille.refresh_from_db()
    assert camille.state == Advocate.State.BLOCKED
    path = reverse("wagtail_referrals_advocates:state", args=[camille.pk])
    assert admin.post(path, {"state": "active"}).status_code == 400
    camille.refresh_from_db()
    assert camille.state == Advocate.State.BLOCKED
    assert "May they refer?" not in admin.get(url_of(camille)).content.decode()


def test_a_guest_who_refers_has_a_page_too(admin: Client) -> None:
    guest = Advocate.objects.create(email_hash="x", exact_email_hash="x", created_at=NOW)
    assert figures(admin, guest)["Friends"] == "0"


def test_what_blocking_says_is_what_it_does(admin: Client, camille: Advocate) -> None:
    assert "Referrals that are there already go on." in admin.get(url_of(camille)).content.decode()
    before = list(Referral.objects.order_by("pk").values_list("state", flat=True))
    admin.post(reverse("wagtail_referrals_advocates:state", args=[camille.pk]), {"state": "blocked"})
    assert list(Referral.objects.order_by("pk").values_list("state", flat=True)) == before
    assert pick_terms(site_id=None, advocate_state="blocked") is None
