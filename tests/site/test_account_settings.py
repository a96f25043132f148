"""What customers decide: their name, leaderboards, thanks, leaving and coming back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.site.conftest import BROWSER
from tests.site.customers import with_friends
from tests.site.test_account import FRIENDS, REWARDS, URL, refer, text_of
from wagtail_referrals import people, rewards
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import version_of, wall
from wagtail_referrals.recognition.models import Featured, FeaturedText, Standing
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards import commit
from wagtail_referrals.tracking.models import Claim, Visit

SETTINGS = f"{URL}settings/"


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


@pytest.fixture
def press(camilles_browser, django_capture_on_commit_callbacks):
    """Press the button with this text, on the page where it stands; the page that follows."""

    def do(button: str, url: str = SETTINGS) -> Any:
        soup = BeautifulSoup(camilles_browser.get(url).content, "html.parser")
        (found,) = [each for each in soup.select(".referrals button") if each.get_text(strip=True) == button]
        form = found.find_parent("form")
        data = {field["name"]: field.get("value", "") for field in form.select("input[name]")}
        with django_capture_on_commit_callbacks(execute=True):
            return camilles_browser.post(form.get("action") or url, data, follow=True)

    return do


def feature(advocate: Advocate) -> Featured:
    featured = Featured.objects.create(advocate=advocate, created_at=timezone.now())
    FeaturedText.objects.create(featured=featured, language="en", text="Half of Tuesday came by Camille.")
    return featured


# Pages


@pytest.mark.parametrize("url", [URL, FRIENDS, REWARDS, SETTINGS])
def test_each_page_is_for_customers_only_and_kept_by_nobody(client, camille, url):
    assert "login" in client.get(url).url
    client.force_login(camille)
    response = client.get(url)
    assert response.status_code == 200
    assert "no-store" in response.headers["Cache-Control"] and "private" in response.headers["Cache-Control"]
    assert b'<meta name="robots" content="noindex">' in response.content


@pytest.mark.parametrize("url", [URL, FRIENDS, REWARDS, SETTINGS])
def test_each_page_says_where_one_is(camilles_browser, url):
    soup = BeautifulSoup(camilles_browser.get(url).content, "html.parser")
    links = soup.select(".referrals-menu a")
    assert [link["href"] for link in links] == [URL, FRIENDS, REWARDS, SETTINGS]
    assert [link["href"] for link in links if link.get("aria-current") == "page"] == [url]
    # The tab of the shop's account stays the active one.
    assert soup.select_one(f'a.nav-link.active[href="{URL}"]')


@pytest.mark.parametrize("state", Advocate.State.values)
@pytest.mark.parametrize("url", [URL, FRIENDS, REWARDS, SETTINGS])
def test_no_state_is_a_dead_end(camilles_browser, advocate, terms, state, url):
    with_friends(advocate, terms, 3)
    Advocate.objects.update(state=state)
    response = camilles_browser.get(url)
    assert response.status_code == 200
    if state != "active":
        assert "<referral-share" not in text_of(response)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("left", "You have left the program"),
        ("paused", "Your link is paused"),
        ("blocked", "You cannot refer friends at the moment"),
    ],
)
def test_who_cannot_share_is_told_why(camilles_browser, advocate, terms, state, words):
    Advocate.objects.update(state=state)
    text = text_of(camilles_browser.get(URL))
    assert words in text and "There is no offer" not in text
    assert ("Come back" in text) == (state == "left")


# The name


def test_the_name_is_saved_here_too(press, camilles_browser, advocate, terms):
    response = camilles_browser.post(SETTINGS, {"public_name": "Cam"}, follow=True)
    assert response.redirect_chain == [(SETTINGS, 302)]
    text = text_of(response)
    assert text.count("Saved.") == 1 and "Cam invites you" in text


def test_a_name_that_is_none_is_refused_here_too(camilles_browser, advocate, terms):
    response = camilles_browser.post(SETTINGS, {"public_name": "me@example.com"})
    text = text_of(response)
    assert (
        "Please give a name" in text
        and "Camille invites you" in text
        and "me@example.com invites" not in text
    )


# Leaderboards


def test_leaderboards_are_entered_and_left(press, advocate, terms):
    standing = Standing.objects.create(
        program_key=terms.program_key,
        period="ever",
        advocate=advocate,
        referrals=3,
        reached_at=timezone.now(),
    )
    assert "You are in the leaderboards now." in text_of(press("Take part"))
    advocate.refresh_from_db()
    standing.refresh_from_db()
    assert advocate.in_leaderboards and standing.is_public
    assert "You are no longer in the leaderboards." in text_of(press("Leave the leaderboards"))
    advocate.refresh_from_db()
    standing.refresh_from_db()
    assert not advocate.in_leaderboards and not standing.is_public


@pytest.mark.parametrize("values", [{"public_name": ""}, {"name_confirmed_at": None}, {"state": "blocked"}])
def test_nobody_takes_part_without_a_name_that_they_have_seen(camilles_browser, advocate, terms, values):
    Advocate.objects.update(**values)
    assert "Take part" not in text_of(camilles_browser.get(SETTINGS))
    camilles_browser.post(f"{SETTINGS}join-leaderboards/")
    advocate.refresh_from_db()
    assert not advocate.in_leaderboards


# Thanks


def test_who_is_to_be_thanked_is_asked_first(press, camilles_browser, advocate, terms):
    assert "Wall of thanks" not in text_of(camilles_browser.get(SETTINGS))
    feature(advocate)
    asked = text_of(camilles_browser.get(URL))
    assert "Waiting for your answer" in asked and "Half of Tuesday came by Camille." in asked
    assert wall("en", 10) == []
    shown = press("Yes, show it", URL)
    assert shown.redirect_chain[-1][0] == URL
    assert "You are on the wall of thanks now." in text_of(shown)
    assert "Waiting for your answer" not in text_of(camilles_browser.get(URL))
    assert [thanks.name for thanks in wall("en", 10)] == ["Camille"]
    press("Take it off the wall")
    assert wall("en", 10) == [] and "You have said no" in text_of(camilles_browser.get(SETTINGS))
    press("Yes, show it")
    assert len(wall("en", 10)) == 1


def test_nobody_agrees_to_words_that_they_have_not_read(press, camilles_browser, advocate, terms):
    featured = feature(advocate)
    soup = BeautifulSoup(camilles_browser.get(URL).content, "html.parser")
    read = soup.select_one("input[name=version]")["value"]
    featured.texts.update(text="Camille lives in rue Longue.")
    for version in (read, "", "0"):
        camilles_browser.post(f"{SETTINGS}agree-to-thanks/", {"version": version})
        assert wall("en", 10) == []
    press("Yes, show it", URL)
    assert [thanks.text for thanks in wall("en", 10)] == ["Camille lives in rue Longue."]


@pytest.mark.parametrize("change", [{"name_confirmed_at": None}, {"public_name": ""}])
def test_nobody_is_thanked_by_a_name_that_they_have_not_seen(camilles_browser, advocate, terms, change):
    featured = feature(advocate)
    Advocate.objects.update(**change)
    for url in (URL, SETTINGS):
        assert "Half of Tuesday" not in text_of(camilles_browser.get(url))
    camilles_browser.post(f"{SETTINGS}agree-to-thanks/", {"version": version_of(featured)})
    assert wall("en", 10) == [] and not Featured.objects.exclude(agreed_at=None).exists()


def test_who_says_no_is_asked_no_more(press, camilles_browser, advocate, terms):
    feature(advocate)
    press("No, thank you", URL)
    assert "Waiting for your answer" not in text_of(camilles_browser.get(URL)) and wall("en", 10) == []


# Leaving


def test_leaving_and_coming_back(press, camilles_browser, browser_client, advocate, terms, link):
    Advocate.objects.update(in_leaderboards=True)
    feature(advocate)
    assert "Camille invites you" in text_of(browser_client.get(link))
    left = press("Leave the program now")
    assert left.redirect_chain[-1][0] == URL
    assert "What was promised before stays as it is." in text_of(left)
    advocate.refresh_from_db()
    assert advocate.state == "left" and not advocate.in_leaderboards
    assert not Featured.objects.exists()
    # At once, although whose code it is was cached.
    newcomer = Client(headers={"user-agent": BROWSER, "accept-language": "en"})
    assert "This invitation has ended" in text_of(newcomer.get(link))
    assert "Welcome back. Your link works again." in text_of(press("Come back", URL))
    advocate.refresh_from_db()
    assert advocate.state == "active" and not advocate.in_leaderboards
    assert "Camille invites you" in text_of(
        Client(headers={"user-agent": BROWSER, "accept-language": "en"}).get(link)
    )


def test_twice_is_once_and_staff_can_read_it(advocate):
    assert people.leave_program(advocate) and not people.leave_program(advocate)
    assert people.return_to_program(advocate) and not people.return_to_program(advocate)
    log = ModelLogEntry.objects.filter(action="wagtail.edit", object_id=str(advocate.pk)).order_by("pk")
    assert [(entry.data["state"], entry.user) for entry in log] == [
        ("left", advocate.user),
        ("active", advocate.user),
    ]


@pytest.mark.parametrize("state", ["paused", "blocked"])
def test_whom_staff_stopped_neither_leaves_nor_comes_back(camilles_browser, advocate, terms, state):
    Advocate.objects.update(state=state)
    stale = Advocate(pk=advocate.pk, state="active", user=advocate.user)
    assert not people.leave_program(stale) and stale.state == state
    stale.state = "left"
    assert not people.return_to_program(stale) and stale.state == state
    camilles_browser.post(f"{SETTINGS}leave/")
    camilles_browser.post(f"{SETTINGS}come-back/")
    advocate.refresh_from_db()
    assert advocate.state == state
    text = text_of(camilles_browser.get(SETTINGS))
    assert "Leave the program" not in text and "Come back" not in text


@pytest.mark.parametrize(("state", "outcome"), [("left", "waiting_payment"), ("blocked", "refused")])
def test_what_was_promised_before_they_left_stays(advocate, terms, make_user, state, outcome):
    """Who came by the link before its owner left can still order by it, and brings the reward."""
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    referral = refer(advocate, terms, make_user("lea"))
    if state == "left":
        people.leave_program(advocate)
    else:
        Advocate.objects.update(state=state)
    claim = commit(visit=Visit.objects.get(pk=visit.pk), basket_reference="1")
    assert (claim is not None and claim.state == Claim.State.OPEN) == (state == "left")
    Purchase.objects.create(
        reference="P1",
        referral=referral,
        placed_at=timezone.now(),
        currency="EUR",
        eligible=Decimal(80),
        total=Decimal(80),
        watch_until=timezone.now() + timedelta(days=60),
    )
    verdict = rewards.settle(referral.pk)
    assert verdict is not None and verdict.state == outcome


def test_a_choice_that_is_none(camilles_browser, advocate):
    assert camilles_browser.post(f"{SETTINGS}no-such-choice/").status_code == 404
    assert camilles_browser.get(f"{SETTINGS}come-back/").status_code == 405


@pytest.mark.parametrize(
    "back", ["", "https://elsewhere.example/", "//elsewhere.example", "rewards", "share"]
)
def test_a_form_leads_back_to_these_pages_only(camilles_browser, advocate, back):
    response = camilles_browser.post(f"{SETTINGS}decline-thanks/", {"back": back})
    assert response.url == SETTINGS


def test_forms_need_the_token(camille, advocate):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(camille)
    for url in (
        f"{SETTINGS}leave/",
        f"{SETTINGS}join-leaderboards/",
        f"{FRIENDS}report/",
        f"{FRIENDS}answer/1/",
    ):
        assert browser.post(url).status_code == 403
