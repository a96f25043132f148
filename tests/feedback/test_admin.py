"""The score by program and the answers, for those who may read them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from wagtail_referrals.feedback.models import FeedbackPage, FeedbackSubmission
from wagtail_referrals.feedback.score import Score, scores, together
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral

MOMENT = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def reader(db: None) -> Client:
    user = make_user("reader@example.com")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin"),
        Permission.objects.get(codename="view_feedbacksubmission"),
    )
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def give(
    page: FeedbackPage, referral: Referral, rating: int, side: str = "advocate", **values: Any
) -> FeedbackSubmission:
    submission = FeedbackSubmission.objects.create(
        page=page,
        referral=referral,
        side=side,
        program_key=referral.program_key,
        rating=rating,
        form_data=values.pop("form_data", {}),
    )
    FeedbackSubmission.objects.filter(pk=submission.pk).update(submit_time=values.get("moment", MOMENT))
    return submission


def rows(client: Client, **query: str) -> list[list[str]]:
    query = {"period": "custom", "first": "2026-11-01", "last": "2026-11-30", **query}
    soup = BeautifulSoup(client.get(reverse("referral_feedback"), query).content, "html.parser")
    return [
        [cell.get_text(strip=True) for cell in row.select("th, td")]
        for row in soup.select(".referral-table tbody tr, .referral-table tfoot tr")
    ]


@given(st.lists(st.integers(0, 10), max_size=30))
def test_the_score_is_what_its_definition_says(ratings: list[int]) -> None:
    score = Score(
        "",
        promoters=sum(rating >= 9 for rating in ratings),
        passives=sum(rating in (7, 8) for rating in ratings),
        detractors=sum(rating <= 6 for rating in ratings),
        total=sum(ratings),
    )
    if not ratings:
        assert score.score is None and score.average is None
        return
    assert score.answers == len(ratings)
    exact = 100 * (score.promoters - score.detractors) / len(ratings)
    assert score.score is not None and abs(score.score - exact) <= 0.5
    assert -100 <= score.score <= 100
    assert score.average is not None and abs(float(score.average) - sum(ratings) / len(ratings)) <= 0.05001


@pytest.mark.django_db
def test_the_score_by_program(
    feedback_page: FeedbackPage, terms: Terms, django_assert_num_queries: Any
) -> None:
    other = Terms.objects.get(program_key=make_program("percentage_back", name="Another").key)
    people = [make_advocate(f"a{number}@example.com") for number in range(4)]
    for person, rating in zip(people, (10, 9, 7, 0), strict=True):
        give(feedback_page, make_referral(terms, person), rating)
    give(feedback_page, make_referral(other, people[0]), 6)
    give(feedback_page, make_referral(other, people[1]), 10, moment=MOMENT - timedelta(days=60))
    with django_assert_num_queries(3):
        found = scores(MOMENT - timedelta(days=1), MOMENT + timedelta(days=1))
    assert [(score.answers, score.score, str(score.average)) for score in found] == [
        (4, 25, "6.5"),
        (1, -100, "6.0"),
    ]
    both = together(found)
    assert (both.answers, both.score, str(both.average)) == (5, 0, "6.4")
    assert scores(MOMENT, MOMENT + timedelta(days=1), other.program_key)[0].name == "Another"


@pytest.mark.django_db
def test_the_page_shows_scores_and_answers(
    reader: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    give(
        feedback_page,
        referral,
        10,
        form_data={"what_could_be_better": "More tea\nplease", "gone": ["a", "b"]},
    )
    give(feedback_page, referral, 2, side="friend")
    (program,) = rows(reader)
    assert program[1:] == ["2", "1", "0", "1", "6.0", "0"]
    content = reader.get(
        reverse("referral_feedback"), {"period": "custom", "first": "2026-11-01", "last": "2026-11-30"}
    )
    soup = BeautifulSoup(content.content, "html.parser")
    text = soup.select_one(".referral-answers").get_text(" ", strip=True)
    assert "What could be better? More tea please" in text
    assert "gone a, b" in text
    # Who may not see referrals gets no link to one.
    assert "The referral" not in text


@pytest.mark.django_db
def test_many_answers_come_in_pages(
    reader: Client, feedback_page: FeedbackPage, terms: Terms, django_assert_max_num_queries: Any
) -> None:
    person = make_advocate()
    for number in range(25):
        give(feedback_page, make_referral(terms, person), 9, moment=MOMENT + timedelta(minutes=number))
    query = {"period": "custom", "first": "2026-11-01", "last": "2026-11-30"}
    with django_assert_max_num_queries(30):
        soup = BeautifulSoup(reader.get(reverse("referral_feedback"), query).content, "html.parser")
    assert len(soup.select(".referral-answers > li")) == 20
    further = soup.select_one(".referral-pages a[rel=next]")["href"]
    soup = BeautifulSoup(reader.get(reverse("referral_feedback") + further).content, "html.parser")
    assert len(soup.select(".referral-answers > li")) == 5


@pytest.mark.django_db
def test_a_question_that_makes_no_sense_shows_nothing(
    reader: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    give(feedback_page, referral, 10)
    assert rows(reader)
    assert rows(reader, period="bogus") == []
    assert rows(reader, program="bogus") == []


@pytest.mark.django_db
def test_only_who_may_read_it_does(reader: Client) -> None:
    user = make_user("other@example.com")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
    )
    other = Client()
    other.force_login(user)
    url = reverse("referral_feedback")
    assert reader.get(url).status_code == 200
    assert other.get(url).status_code == 302
    assert Client().get(url).status_code == 302
    home = BeautifulSoup(reader.get(reverse("wagtailadmin_home")).content, "html.parser").decode()
    assert url in home
    assert url not in other.get(reverse("wagtailadmin_home")).content.decode()


@pytest.mark.django_db
def test_wagtails_own_groups_may_read_it() -> None:
    for name in ("Editors", "Moderators"):
        assert Group.objects.get(name=name).permissions.filter(codename="view_feedbacksubmission").exists()


@pytest.fixture
def boss(db: None) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(make_user("boss@example.com", is_superuser=True, is_staff=True))
    return client


def file_of(response: Any) -> list[list[str]]:
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))


def test_the_listing_of_the_page_exports_no_formula(
    boss: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    give(feedback_page, referral, 4, form_data={"what_could_be_better": "=HYPERLINK(1)"})
    url = reverse("wagtailforms:list_submissions", args=[feedback_page.pk])
    page = BeautifulSoup(boss.get(url).content, "html.parser").get_text(" ")
    assert "=HYPERLINK(1)" in page
    response = boss.get(url, {"export": "csv"})
    assert feedback_page.slug in response["Content-Disposition"]
    header, line = file_of(response)
    assert header[1:] == ["rating", "who", "What could be better?"]
    assert line == ["2026-11-10 13:00:00", "4", "your customer", "'=HYPERLINK(1)"]


def test_the_columns_of_the_pages_listing_are_chosen(
    boss: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    give(feedback_page, referral, 4, form_data={"what_could_be_better": "Nothing"})
    url = reverse("wagtailforms:list_submissions", args=[feedback_page.pk])
    table = BeautifulSoup(boss.get(url, {"columns": ["referral_rating"]}).content, "html.parser")
    cells = [cell.get_text(strip=True) for cell in table.select("table.listing tbody td")]
    assert cells[2:] == ["4"]
    assert file_of(boss.get(url, {"export": "csv"}))[0] == ["Submission date", "rating"]


def test_a_wrong_filter_of_the_pages_listing_gets_no_file(
    boss: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    url = reverse("wagtailforms:list_submissions", args=[feedback_page.pk])
    response = boss.get(url, {"date_from": "soon", "export": "csv"})
    assert response.status_code == 400
    assert "Submission date: Enter a valid date." in " ".join(response.content.decode().split())
    assert boss.get(url, {"order_by": "-submit_time", "export": "csv"}).status_code == 200


def test_the_answers_of_a_period_are_downloaded(
    reader: Client, feedback_page: FeedbackPage, referral: Referral
) -> None:
    give(feedback_page, referral, 9, form_data={"what_could_be_better": "Nothing", "gone": ["a", "b"]})
    give(feedback_page, referral, 2, side="friend", moment=MOMENT - timedelta(days=40))
    query = {"period": "custom", "first": "2026-11-01", "last": "2026-11-30", "export": "csv"}
    assert file_of(reader.get(reverse("referral_feedback"), query)) == [
        ["Date", "Rating", "Who", "Program", "Answers"],
        [
            "2026-11-10 13:00:00",
            "9",
            "your customer",
            "Give 10%, get €15",
            "“What could be better?” Nothing · “gone” a, b",
        ],
    ]
    assert reader.get(reverse("referral_feedback"), {**query, "first": "soon"}).status_code == 400
