"""The doctor where a shared cache keeps the landing pages: the cookie comes with the picture on the page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.patient import examine
from wagtail_referrals.doctor import Verdict

pytestmark = pytest.mark.django_db

PARTS = ("programs", "link")


def switch_on(settings: Any) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": 300}
    settings.MIDDLEWARE = ["wagtail_referrals.tracking.SharedCacheMiddleware", *settings.MIDDLEWARE]


def test_the_picture_is_followed(healthy: Any, settings: Any) -> None:
    switch_on(settings)
    record = examine(PARTS)
    assert record.says("a shared cache may keep this page", Verdict.FINE)
    assert record.says("the cookie is kept", Verdict.FINE) and not record.broken


def test_a_cookie_that_is_taken_away_is_still_seen(healthy: Any, settings: Any) -> None:
    switch_on(settings)
    settings.MIDDLEWARE = [f"{__name__}.without_cookies", *settings.MIDDLEWARE]
    assert examine(PARTS).says("comes without our cookie")


def without_cookies(get_response: Any) -> Any:
    def handle(request: Any) -> Any:
        response = get_response(request)
        response.cookies.clear()
        return response

    return handle
