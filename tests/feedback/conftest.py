"""A shop with a feedback page in two languages, and a referral of which both sides were rewarded."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from wagtail.models import Locale, Page, Site

from tests.admin.rows import make_advocate, make_program, make_referral, make_reward, make_user
from wagtail_referrals.feedback.models import FeedbackPage, FeedbackQuestion
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral


def make_page(language: str = "en", **values: Any) -> FeedbackPage:
    """A live page with one question of the editor's own, below the first page of the language."""
    site = Site.objects.get(is_default_site=True)
    locale, _created = Locale.objects.get_or_create(language_code=language)
    home: Page = site.root_page
    if home.locale_id != locale.pk:
        home = home.get_translation_or_none(locale) or home.copy_for_translation(locale)
        home.save_revision().publish()
    page = FeedbackPage(title="How was it?", slug=f"feedback-{language}", locale=locale, **values)
    page.form_fields = [
        FeedbackQuestion(sort_order=0, label="What could be better?", field_type="multiline", required=False)
    ]
    home.add_child(instance=page)
    page.save_revision().publish()
    return page


@pytest.fixture
def feedback_page(db: None) -> FeedbackPage:
    return make_page()


@pytest.fixture
def terms(db: None) -> Terms:
    return Terms.objects.get(program_key=make_program().key)


@pytest.fixture
def referral(terms: Terms) -> Referral:
    friend = make_user("nadia@example.com", "Nadia")
    referral = make_referral(terms, make_advocate(), friend, state=Referral.State.REWARDED)
    make_reward(referral, "15.00", "15.00")
    return referral


@pytest.fixture
def visitor() -> Client:
    return Client(headers={"accept-language": "en"})
