"""The share panel on the page after an order in a real browser: no barrier, nothing inline, nothing that sticks out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils import timezone

from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals.people.models import Advocate

pytestmark = pytest.mark.django_db(transaction=True)

PANEL = "section[aria-labelledby=referrals-thank-you]"


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_after_an_order(
    width: int,
    language: str,
    transactional_db: None,
    mat: Any,
    advocate: Any,
    camille: Any,
    terms: Any,
    live_server: Any,
    new_page: Callable[..., Any],
    browser_problems: Any,
) -> None:
    Advocate.objects.update(name_confirmed_at=timezone.now())
    order = create_order(fill_basket(mat, user=camille), user=camille)
    client = Client()
    client.force_login(camille)
    session = client.session
    session["checkout_order_id"] = order.pk
    session.save()
    page = new_page(viewport={"width": width, "height": 800}, locale=language)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(f"/{language}/checkout/thank-you/")
    panel = page.locator(PANEL)
    panel.get_by_role("button").first.wait_for()
    found = Axe().run(page, context=PANEL).response
    assert found["passes"], "axe has looked at nothing"
    assert found["violations"] == [], [each["id"] for each in found["violations"]]
    assert panel.locator("[style], style, script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    browser_problems.assert_none()
