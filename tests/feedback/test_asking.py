"""Where people are asked: in the mail about a reward, and on their page, until they have answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils.translation import override
from wagtail.models import Site

from tests.admin.rows import NOW
from tests.feedback.conftest import make_page
from wagtail_referrals import messages
from wagtail_referrals.feedback import asking
from wagtail_referrals.feedback.models import RATING, FeedbackPage, FeedbackSubmission
from wagtail_referrals.feedback.respondents import token_for
from wagtail_referrals.messages.models import Message
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db


def mail_to(referral: Referral, side: str = "advocate", language: str = "en", **values: Any) -> Any:
    person = referral.advocate.user if side == "advocate" else referral.friend
    message = Message(
        kind=values.pop("kind", "reward_given"),
        user=person,
        referral=referral,
        language=language,
        data={"side": side, "amount": "15.00", "currency": "EUR"},
        created_at=NOW,
    )
    return messages.compose(message, person)


def link_in(body: str, page: FeedbackPage) -> str:
    (found,) = [line.strip() for line in body.splitlines() if line.strip().startswith(page.full_url)]
    return found


def test_the_mail_about_a_reward_asks(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    composed = mail_to(referral)
    link = link_in(composed.text, feedback_page)
    assert "How was it?" in composed.text
    assert link.replace("&", "&amp;") in composed.html
    # It works when it is followed.
    parts = urlsplit(link)
    assert RATING in visitor.get(f"{parts.path}?{parts.query}").content.decode()
    token = parse_qs(parts.query)["t"][0]
    visitor.post(parts.path, {"t": token, RATING: "8"})
    assert FeedbackSubmission.objects.get().side == "advocate"


def test_who_has_answered_is_not_asked_again(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    visitor.post(feedback_page.url, {"t": token_for(referral.pk, "advocate"), RATING: "8"})
    assert feedback_page.full_url not in mail_to(referral).text
    assert feedback_page.full_url in mail_to(referral, "friend").text


def test_only_a_mail_that_gives_asks(feedback_page: FeedbackPage, referral: Referral) -> None:
    assert feedback_page.full_url not in mail_to(referral, kind="reward_taken_back").text


def test_the_mail_leads_to_the_page_in_its_language(feedback_page: FeedbackPage, referral: Referral) -> None:
    french = make_page("fr")
    assert link_in(mail_to(referral, language="fr").text, french)
    # One that nobody has translated leads to the page that there is.
    assert link_in(mail_to(referral, language="de").text, feedback_page)


def test_without_a_page_nobody_is_asked(referral: Referral) -> None:
    assert "/feedback" not in mail_to(referral).text
    assert asking.question_for(referral.advocate.user, Site.objects.get(is_default_site=True)) is None


def test_a_mail_goes_also_when_asking_fails(
    feedback_page: FeedbackPage, referral: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("no page today")

    monkeypatch.setattr(asking, "find_feedback_page", broken)
    assert "Your reward is there" in mail_to(referral).text


def test_the_customers_page_asks_until_there_is_an_answer(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    site = Site.objects.get(is_default_site=True)
    with override("en"):
        question = asking.question_for(referral.advocate.user, site)
    assert question is not None and question.url.startswith(feedback_page.full_url)
    visitor.post(feedback_page.url, {"t": token_for(referral.pk, "advocate"), RATING: "8"})
    assert asking.question_for(referral.advocate.user, site) is None
    # Who was never rewarded is not asked.
    assert asking.question_for(referral.friend, site) is None
