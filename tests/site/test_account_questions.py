"""Orders that are not where they belong: what customers report, and what they are asked."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.site.customers import asked, reported
from tests.site.test_account import FRIENDS, URL, text_of
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals import requests
from wagtail_referrals.referrals.models import AttributionRequest
from wagtail_referrals.site import elsewhere

REPORT = f"{FRIENDS}report/"


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


def test_an_order_is_reported_by_its_number(camilles_browser, advocate, terms):
    assert "Tell us the number of the order" in text_of(camilles_browser.get(FRIENDS))
    response = camilles_browser.post(REPORT, {"reference": " #100042 "}, follow=True)
    assert response.redirect_chain == [(FRIENDS, 302)]
    text = text_of(response)
    assert "Thank you. We look at it, and answer here." in text and "Order 100042" in text
    row = AttributionRequest.objects.get()
    assert (row.kind, row.reference, row.advocate, row.state) == ("reported", "100042", advocate, "waiting")


def test_the_answer_is_the_same_whether_or_not_there_is_such_an_order(camilles_browser, advocate, terms):
    from tests.oscar_integration.shopping import create_order  # noqa: F401  (the shop is there, and is not asked)

    pages = [
        text_of(camilles_browser.post(REPORT, {"reference": number}, follow=True)).count(
            "Thank you. We look at it"
        )
        for number in ("100001", "no-such-order")
    ]
    assert pages == [1, 1]


def test_one_order_is_reported_once(camilles_browser, advocate, terms):
    for _ in range(2):
        camilles_browser.post(REPORT, {"reference": "100042"})
    assert AttributionRequest.objects.count() == 1


@pytest.mark.parametrize("reference", ["", "   ", "x" * 65, "\x00"])
def test_what_is_no_number_is_refused_on_the_page(camilles_browser, advocate, terms, reference):
    response = camilles_browser.post(REPORT, {"reference": reference})
    text = text_of(response)
    assert response.status_code == 200 and 'class="errorlist"' in text
    assert '<details class="referrals-report" open>' in text
    assert not AttributionRequest.objects.exists()


def test_more_than_a_few_at_once_are_refused_in_words(camilles_browser, advocate, terms):
    for number in range(requests.MOST_REPORTED):
        camilles_browser.post(REPORT, {"reference": f"10{number}"})
    response = camilles_browser.post(REPORT, {"reference": "999"})
    assert response.status_code == 200 and "Please wait for our answer." in text_of(response)
    assert AttributionRequest.objects.count() == requests.MOST_REPORTED


@pytest.mark.parametrize("state", ["left", "paused", "blocked"])
def test_who_does_not_refer_reports_nothing(camilles_browser, advocate, terms, state):
    Advocate.objects.update(state=state)
    assert "Tell us the number of the order" not in text_of(camilles_browser.get(FRIENDS))
    assert camilles_browser.post(REPORT, {"reference": "1"}).status_code == 200
    assert not AttributionRequest.objects.exists()


def test_what_was_reported_says_how_it_stands(camilles_browser, advocate, terms):
    reported(advocate)
    text = text_of(camilles_browser.get(FRIENDS))
    for state in ("waiting", "confirmed", "refused", "lapsed"):
        assert f'data-state="{state}"' in text
    assert "Order 100042" in text
    Advocate.objects.update(state="left")
    assert "Order 100042" in text_of(camilles_browser.get(FRIENDS))


# Asked


@pytest.mark.parametrize("url", [URL, FRIENDS])
def test_who_was_named_is_asked_and_nothing_is_told(camilles_browser, advocate, terms, make_user, url):
    lea = make_user("leandra", last_name="Martin")
    (question,) = asked(advocate, friend=lea)
    text = text_of(camilles_browser.get(url))
    assert "L… ordered on" in text and "says that you sent them. Is that so?" in text
    for secret in (question.reference, "Leandra", "Martin", "leandra@"):
        assert secret not in text


def test_a_guest_who_named_them_is_somebody(camilles_browser, advocate, terms):
    asked(advocate)
    assert "Somebody ordered on" in text_of(camilles_browser.get(URL))


def test_no_is_an_answer(camilles_browser, advocate, terms):
    (question,) = asked(advocate)
    response = camilles_browser.post(
        f"{FRIENDS}answer/{question.pk}/", {"confirmed": "no", "back": "account"}, follow=True
    )
    assert response.redirect_chain == [(URL, 302)]
    text = text_of(response)
    assert "Thank you for the answer." in text and "Waiting for your answer" not in text
    question.refresh_from_db()
    assert question.state == "refused"


def test_yes_goes_to_the_room_of_referrals(camilles_browser, advocate, terms, monkeypatch):
    (question,) = asked(advocate)
    said = []
    monkeypatch.setattr(
        "wagtail_referrals.site.account.views.answer_request",
        lambda *arguments: said.append(arguments) or question,
    )
    response = camilles_browser.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "yes"}, follow=True)
    assert said == [(question.pk, advocate, True)]
    assert "What becomes of it, you see here." in text_of(response)


def test_a_yes_that_cannot_be_counted_says_so(camilles_browser, advocate, terms):
    (question,) = asked(advocate)
    response = camilles_browser.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "yes"}, follow=True)
    assert "It cannot be counted: the shop knows no such order." in text_of(response)
    question.refresh_from_db()
    assert question.state == "refused"


@pytest.mark.parametrize("state", ["left", "paused", "blocked"])
def test_who_does_not_refer_is_not_thanked_for_nothing(camilles_browser, advocate, terms, state):
    """They may come back, and say so then."""
    (question,) = asked(advocate)
    Advocate.objects.update(state=state)
    response = camilles_browser.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "yes"}, follow=True)
    text = text_of(response)
    assert "Your account cannot refer friends at the moment." in text and "Thank you" not in text
    question.refresh_from_db()
    assert question.state == "waiting"
    response = camilles_browser.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "no"}, follow=True)
    question.refresh_from_db()
    assert (question.state, question.reason) == ("refused", "denied")


def test_what_was_answered_meanwhile_says_so(camilles_browser, advocate, terms):
    (question,) = asked(advocate)
    for _ in range(2):
        response = camilles_browser.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "no"}, follow=True)
    assert "This question has been answered already." in text_of(response)


def test_a_question_to_somebody_else_is_not_answered(client, advocate, terms, make_user):
    (question,) = asked(advocate)
    client.force_login(make_user("paul"))
    response = client.post(f"{FRIENDS}answer/{question.pk}/", {"confirmed": "yes"}, follow=True)
    assert response.status_code == 200
    question.refresh_from_db()
    assert question.state == "waiting"


def test_an_app_asks_too_and_cannot_break_the_page(camilles_browser, advocate, terms, monkeypatch):
    def fail(user, site):
        raise RuntimeError("no answer")

    question = elsewhere.Question("How was it?", "/tell-us/", "Tell us")
    monkeypatch.setattr(elsewhere, "_questions", [fail, lambda user, site: question])
    text = text_of(camilles_browser.get(URL))
    assert "How was it?" in text and 'href="/tell-us/"' in text


def test_nothing_waits_where_nothing_was_asked(camilles_browser, advocate, terms):
    asked(advocate)
    AttributionRequest.objects.update(state="lapsed", decided_at=timezone.now())
    assert "Waiting for your answer" not in text_of(camilles_browser.get(URL))
