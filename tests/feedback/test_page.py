"""The page that asks: who may answer, once each, and what becomes of the answer."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core import signing
from django.db import IntegrityError, transaction
from django.test import Client

from tests.admin.rows import make_user
from wagtail_referrals.feedback.models import RATING, FeedbackPage, FeedbackSubmission
from wagtail_referrals.feedback.respondents import MAX_AGE, SALT, token_for
from wagtail_referrals.referrals.models import Referral

pytestmark = pytest.mark.django_db

QUESTION = "what_could_be_better"


def address(page: FeedbackPage, token: str = "") -> str:
    return f"{page.url}?t={token}" if token else str(page.url)


def answer(client: Client, page: FeedbackPage, token: str = "", **given: Any) -> Any:
    return client.post(address(page), {"t": token, RATING: "9", QUESTION: "", **given})


def soup_of(response: Any) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


def test_a_link_leads_to_the_question(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    token = token_for(referral.pk, "advocate")
    response = visitor.get(address(feedback_page, token))
    soup = soup_of(response)
    numbers = [radio["value"] for radio in soup.select(f"input[name={RATING}]")]
    assert numbers == [str(number) for number in range(11)]
    assert soup.select_one("fieldset legend").get_text(strip=True) == (
        "How likely is it that you recommend us to a friend?"
    )
    assert soup.select_one("input[name=t]")["value"] == token
    assert "no-store" in response.headers["Cache-Control"]
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["X-Robots-Tag"] == "noindex"


def test_the_answer_is_kept_with_its_referral(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    response = answer(
        visitor, feedback_page, token_for(referral.pk, "friend"), **{RATING: "3", QUESTION: "Tea"}
    )
    assert "Thank you!" in soup_of(response).get_text()
    kept = FeedbackSubmission.objects.get()
    assert (kept.referral, kept.side, kept.rating) == (referral, "friend", 3)
    assert kept.form_data == {QUESTION: "Tea"}
    assert (kept.program_key, kept.language) == (referral.program_key, "en")


def test_who_comes_again_changes_the_answer(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    token = token_for(referral.pk, "advocate")
    answer(visitor, feedback_page, token, **{RATING: "3", QUESTION: "Tea"})
    soup = soup_of(visitor.get(address(feedback_page, token)))
    assert soup.select_one(f"input[name={RATING}][checked]")["value"] == "3"
    assert soup.select_one(f"textarea[name={QUESTION}]").get_text(strip=True) == "Tea"
    answer(visitor, feedback_page, token, **{RATING: "10"})
    assert list(FeedbackSubmission.objects.values_list("rating", "side")) == [(10, "advocate")]
    answer(visitor, feedback_page, token_for(referral.pk, "friend"))
    assert FeedbackSubmission.objects.count() == 2


def test_the_database_knows_one_answer_for_each_side(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    answer(visitor, feedback_page, token_for(referral.pk, "advocate"))
    kept = FeedbackSubmission.objects.get()
    kept.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        kept.save()


@pytest.mark.parametrize("rating", ["", "11", "-1", "many"])
def test_a_number_that_is_none_is_refused_in_words(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral, rating: str
) -> None:
    token = token_for(referral.pk, "advocate")
    soup = soup_of(answer(visitor, feedback_page, token, **{RATING: rating, QUESTION: "My words"}))
    assert soup.select_one("[role=alert]") is not None
    # Nothing of what was written is lost.
    assert soup.select_one("textarea").get_text(strip=True) == "My words"
    assert soup.select_one("input[name=t]")["value"] == token
    assert not FeedbackSubmission.objects.exists()


def wrong_tokens(referral: Referral) -> list[str]:
    return [
        "x",
        "x" * 5000,
        token_for(referral.pk, "advocate")[:-1],
        token_for(referral.pk + 99, "advocate"),
        signing.dumps([referral.pk, "advocate"], salt="another"),
        signing.dumps("nothing", salt=SALT),
        signing.dumps([referral.pk], salt=SALT),
        signing.dumps([{}, "advocate"], salt=SALT),
    ]


@pytest.mark.parametrize("number", range(8))
def test_a_token_of_nobody_opens_nothing(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral, number: int
) -> None:
    token = wrong_tokens(referral)[number]
    assert soup_of(visitor.get(address(feedback_page, token))).select_one("form.referrals-form") is None
    answer(visitor, feedback_page, token)
    assert not FeedbackSubmission.objects.exists()


def test_a_token_has_an_end(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = signing.time.time() - MAX_AGE - 10
    with monkeypatch.context() as past:
        past.setattr(signing.time, "time", lambda: made)
        token = token_for(referral.pk, "advocate")
    answer(visitor, feedback_page, token)
    assert not FeedbackSubmission.objects.exists()


def test_who_is_logged_in_needs_no_link(feedback_page: FeedbackPage, referral: Referral) -> None:
    client = Client(headers={"accept-language": "en"})
    client.force_login(referral.advocate.user)
    answer(client, feedback_page)
    kept = FeedbackSubmission.objects.get()
    assert (kept.referral, kept.side) == (referral, "advocate")


def test_who_was_never_rewarded_is_told_so(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    stranger = Client(headers={"accept-language": "en"})
    stranger.force_login(make_user("stranger@example.com"))
    for client in (visitor, stranger):
        soup = soup_of(client.get(address(feedback_page)))
        assert soup.select_one("form.referrals-form") is None
        assert "open it by the link in our mail" in soup.get_text()
        answer(client, feedback_page)
    assert not FeedbackSubmission.objects.exists()


@pytest.mark.parametrize("side", ["advocate", "friend"])
def test_a_deleted_person_takes_the_words_along(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral, side: str
) -> None:
    for each in ("advocate", "friend"):
        answer(visitor, feedback_page, token_for(referral.pk, each), **{QUESTION: "My name is Ada"})
    person = referral.advocate.user if side == "advocate" else referral.friend
    person.delete()
    left = {kept.side: kept for kept in FeedbackSubmission.objects.all()}
    other = "friend" if side == "advocate" else "advocate"
    assert left[side].form_data == {} and left[side].rating == 9
    assert left[other].form_data == {QUESTION: "My name is Ada"}
    # The link in the mail is still there; it writes nothing any more.
    answer(visitor, feedback_page, token_for(referral.pk, side), **{QUESTION: "Again"})
    left[side].refresh_from_db()
    assert left[side].form_data == {}


def test_the_editor_words_the_question_and_the_thanks(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    feedback_page.rating_question = "Would you tell a friend?"
    feedback_page.thanks = "<p>You are kind.</p>"
    feedback_page.save_revision().publish()
    token = token_for(referral.pk, "friend")
    soup = soup_of(visitor.get(address(feedback_page, token)))
    assert soup.select_one("fieldset legend").get_text(strip=True) == "Would you tell a friend?"
    assert "You are kind." in soup_of(answer(visitor, feedback_page, token)).get_text()


def test_every_kind_of_question_can_be_asked(
    visitor: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    from wagtail.contrib.forms.models import FORM_FIELD_CHOICES

    from wagtail_referrals.feedback.models import FeedbackQuestion

    for number, (kind, _label) in enumerate(FORM_FIELD_CHOICES):
        feedback_page.form_fields.add(
            FeedbackQuestion(
                sort_order=number + 1,
                label=f"Kind {kind}",
                field_type=kind,
                required=False,
                choices="one\ntwo",
            )
        )
    feedback_page.save_revision().publish()
    token = token_for(referral.pk, "friend")
    soup = soup_of(visitor.get(address(feedback_page, token)))
    for kind, _label in FORM_FIELD_CHOICES:
        field = soup.select_one(f"[name=kind_{kind}]")
        assert field is not None, kind
        if field.get("type") not in ("hidden", "radio") and kind != "checkboxes":
            assert soup.select_one(f'label[for="{field["id"]}"]') is not None, kind
    response = answer(
        visitor,
        feedback_page,
        token,
        kind_checkboxes=["one", "two"],
        kind_date="2026-11-01",
        kind_number="4.5",
    )
    assert "Thank you!" in soup_of(response).get_text()
    kept = FeedbackSubmission.objects.get().form_data
    assert kept["kind_checkboxes"] == ["one", "two"]
    assert (kept["kind_date"], kept["kind_number"]) == ("2026-11-01", "4.5")
