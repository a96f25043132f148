"""Who only looks is not counted."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from wagtail_referrals import tracking
from wagtail_referrals.tracking.robots import is_ahead, only_looks

PEOPLE = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 "
    "Mobile/15E148 Safari/604.1",
    # Inside the Facebook and Instagram apps it is a person who reads.
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "[FBAN/FBIOS;FBAV/480.0.0.30.109]",
]
ROBOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "WhatsApp/2.23.20.0",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "TelegramBot (like TwitterBot)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "curl/8.5.0",
]


def request_by(agent="", **meta):
    return RequestFactory().get("/", HTTP_USER_AGENT=agent, **meta)


@pytest.mark.parametrize("agent", PEOPLE)
def test_people(agent):
    assert not tracking.is_robot(request_by(agent)) and not only_looks(request_by(agent))


@pytest.mark.parametrize("agent", ROBOTS)
def test_robots(agent):
    assert tracking.is_robot(request_by(agent)) and only_looks(request_by(agent))


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_PURPOSE": "prefetch"},
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "prefetch"},
        {"HTTP_X_PURPOSE": "preview"},
        {"HTTP_X_MOZ": "Prefetch"},
    ],
)
def test_a_browser_that_fetches_ahead_is_nobodys_visit(headers):
    assert is_ahead(request_by(PEOPLE[0], **headers)) and only_looks(request_by(PEOPLE[0], **headers))


def test_head_post_and_the_editors_preview_are_nobodys_visit():
    assert only_looks(RequestFactory().head("/")) and only_looks(RequestFactory().post("/"))
    for attribute in ("is_dummy", "is_preview"):
        request = request_by(PEOPLE[0])
        setattr(request, attribute, True)
        assert only_looks(request)


def test_a_very_long_user_agent_is_cut():
    assert not tracking.is_robot(request_by(PEOPLE[0] + "x" * 100_000))
