"""``manage.py referrals_leave`` in a shop that asks for feedback, and with addresses that people left."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from wagtail.models import Page

from tests.admin.rows import NOW
from wagtail_referrals.feedback.models import FeedbackPage
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Lead

pytestmark = pytest.mark.django_db


def leave(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("referrals_leave", *arguments, stdout=out)
    except SystemExit as stop:
        return int(stop.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture(autouse=True)
def _off(settings: object) -> None:
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False, "CREDIT_AT_CHECKOUT": False}  # type: ignore[attr-defined]


def test_its_pages_go_and_it_is_in_nobodys_way(
    feedback_page: FeedbackPage, referral: Referral, tmp_path: object
) -> None:
    code, said = leave()
    assert code == 0, said
    assert "The page “How was it?”" in said
    code, said = leave("--yes", "--owed", f"{tmp_path}/owed.csv")
    assert code == 0, said
    assert not Page.objects.filter(pk=feedback_page.pk).exists()


def test_an_address_that_was_left_is_deleted(referral: Referral, tmp_path: object) -> None:
    Lead.objects.create(
        claim=referral.claim, email="maiwenn@example.com", consent="Yes", created_at=NOW + timedelta(days=1)
    )
    assert "1 address that somebody left with an invitation is deleted." in leave()[1]
    code, said = leave("--yes", "--owed", f"{tmp_path}/owed.csv")
    assert code == 0, said
    assert "Deleted: 1 address." in said and "maiwenn" not in said
    assert not Lead.objects.exists()
