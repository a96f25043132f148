"""What the customer has: credit with its history and its ends, discounts, badges."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.badges import make_badge
from tests.site.customers import with_credit, with_discounts, with_friends
from tests.site.test_account import REWARDS, URL, refer, reward, text_of
from wagtail_referrals import credit
from wagtail_referrals.recognition.models import BadgeAward
from wagtail_referrals.referrals.models import TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


def movements_of(response) -> list[str]:
    soup = BeautifulSoup(response.content, "html.parser")
    return [" ".join(row.get_text(" ").split()) for row in soup.select(".referrals-movement")]


def grant(user, amount: str, key: str, days: int | None = None) -> None:
    expires_at = timezone.now() + timedelta(days=days) if days is not None else None
    credit.grant(user=user, currency="EUR", amount=Decimal(amount), key=key, expires_at=expires_at)


def test_what_expires_when(camilles_browser, camille, advocate, terms):
    grant(camille, "15", "a", 20)
    grant(camille, "9", "b", 200)
    grant(camille, "4", "c")
    overview = text_of(camilles_browser.get(URL))
    assert "€28.00" in overview
    assert "€15.00 can be used until" in overview and "€9.00 can be used until" not in overview, "soon only"
    page = text_of(camilles_browser.get(REWARDS))
    assert page.index("€15.00 can be used until") < page.index("€9.00 can be used until")
    assert "€4.00 can be used until" not in page and "What expires later" not in page


def test_many_ends_are_folded(camilles_browser, camille, advocate, terms):
    for number in range(8):
        grant(camille, "1", str(number), 10 + number)
    soup = BeautifulSoup(camilles_browser.get(REWARDS).content, "html.parser")
    soon, later = soup.select(".referrals-endings")
    assert len(soon.select("li")) == 5 and len(later.select("li")) == 3
    assert later.find_parent("details") is not None


def test_a_movement_says_what_it_was_for(camilles_browser, camille, advocate, terms, make_user):
    lea = refer(advocate, terms, make_user("leandra"))
    rows = {
        "friend": reward(lea),
        "guest": reward(refer(advocate, terms, friend_email_hash="x")),
        "milestone": reward(refer(advocate, terms, friend_email_hash="y"), tier=3),
        "own": reward(refer(advocate, terms, friend_email_hash="z")),
    }
    Reward.objects.filter(pk=rows["own"].pk).update(side="friend")
    for row in rows.values():
        grant(camille, "15", f"reward:{row.pk}:1")
    grant(camille, "2", "reward:x:1")
    grant(camille, "3", "a present of the shop")
    notes = {line.partition("Given")[2].split(timezone.localdate().strftime("%b"))[0].strip() for line in
             movements_of(camilles_browser.get(REWARDS))}  # fmt: skip
    assert notes == {"for your friend L…", "for a friend", "for a milestone", "because you were invited", ""}


def test_a_movement_says_why_it_is_not_as_promised(camilles_browser, camille, advocate, terms):
    one = reward(refer(advocate, terms, friend_email_hash="x"), reason="cancelled")
    grant(camille, "9", f"reward:{one.pk}:1")
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(9), key=f"reward:{one.pk}:2", source="")
    own = reward(refer(advocate, terms, friend_email_hash="y"), reason="own_link")
    Reward.objects.filter(pk=own.pk).update(side="friend")
    grant(camille, "7", f"reward:{own.pk}:1")
    for key, reason in {
        f"reward:{one.pk}:1": "partly_refunded",
        f"reward:{one.pk}:2": "cancelled",
        f"reward:{own.pk}:1": "own_link",
    }.items():
        TimelineEvent.objects.create(key=key, kind="x", data={"reason": reason}, created_at=timezone.now())
    grant(camille, "2", "a present of the shop")
    present, friends, back, given = movements_of(camilles_browser.get(REWARDS))
    assert "for a friend A part of the order was refunded" in given and "+€9.00" in given
    assert "for a friend The order was cancelled" in back and "−€9.00" in back
    # Said to the friend: it is not their own link.
    assert "because you were invited This is the referrer's own link" in friends
    assert present.count(" ") == 4


def test_the_history_comes_in_pages(camilles_browser, camille, advocate, terms):
    with_credit(advocate, 45)
    assert len(movements_of(camilles_browser.get(REWARDS))) == 20
    assert len(movements_of(camilles_browser.get(REWARDS, {"movements-EUR": "3"}))) == 5


def test_as_many_queries_for_a_long_history(camilles_browser, camille, advocate, terms):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert camilles_browser.get(REWARDS).status_code == 200
        return len(found)

    with_friends(advocate, terms, 60)
    with_credit(advocate, 2)
    with_discounts(advocate, 1)
    queries()
    few = queries()
    for number in range(40):
        grant(camille, "1", f"more:{number}", 10 + number)
    with_credit(advocate, 18)
    DiscountGrant.objects.all().delete()
    Reward.objects.filter(occasion__startswith="registration").delete()
    with_discounts(advocate, 25)
    assert queries() == few


def test_discounts_are_used_from_here(camilles_browser, advocate, terms):
    with_friends(advocate, terms, 2)
    with_discounts(advocate, 2)
    assert "You have 2 rewards to use." in text_of(camilles_browser.get(URL))
    soup = BeautifulSoup(camilles_browser.get(REWARDS).content, "html.parser")
    rows = soup.select("#rewards + ul > li")
    assert len(rows) == 2 and all(
        "10% off one order" in row.text and row.select_one("form button") for row in rows
    )
    code = DiscountGrant.objects.latest("pk").code
    assert rows[0].select_one(".referrals-code").text == code


def test_badges_of_both_kinds(camilles_browser, advocate, terms):
    BadgeAward.objects.create(badge=make_badge(), advocate=advocate, awarded_at=timezone.now())
    soup = BeautifulSoup(camilles_browser.get(REWARDS).content, "html.parser")
    (badge,) = soup.select(".referrals-badges li")
    assert "Ambassador" in badge.text and "since" in badge.text
    BadgeAward.objects.update(taken_back_at=timezone.now())
    assert "Your badges" not in text_of(camilles_browser.get(REWARDS))


def test_nobody_sees_what_others_have(client, camille, advocate, terms, make_user):
    grant(camille, "15", "a")
    client.force_login(make_user("paul"))
    assert "€15.00" not in text_of(client.get(REWARDS)) and movements_of(client.get(REWARDS)) == []
