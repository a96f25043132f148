"""A message is written, looked at and sent to oneself, in a real browser; the pages are accessible and fit a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.urls import reverse
from django.utils import translation
from playwright.sync_api import expect

from tests.admin.rows import ADMIN, NOW, make_program, make_user, reads
from tests.admin.test_browser import admin_page, audit, cut_off  # noqa: F401  (pytest finds the fixture by its name)
from wagtail_referrals.messages.models import Message, MessageTemplate
from wagtail_referrals.messages.ready_made import ready_sequences, write_ready

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "wagtail_referrals_messages"


def test_a_message_is_written_looked_at_and_tested(
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
) -> None:
    cache.clear()
    page = admin_page
    page.goto(live_server.url + reverse(OVERVIEW))
    page.locator("#reward_given").get_by_role("link", name="Write your own").click()
    subject = page.locator("[name=texts-0-subject]")
    expect(subject).to_have_value("{headline}")
    subject.fill("Well done, {name}")

    page.get_by_role("button", name="Send me a test").click()
    page.get_by_text("Sent to admin@example.com.").wait_for()
    (sent,) = mail.outbox
    assert sent.subject == "Well done, Camille" and sent.to == ["admin@example.com"]
    assert not MessageTemplate.objects.exists()

    page.locator("[data-side-panel-toggle=preview]").click()
    frame = page.frame_locator("[data-side-panel=preview] iframe").first
    frame.get_by_text("Hello Camille,").wait_for()

    page.get_by_role("button", name="More actions").click()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("published").first.wait_for()
    template = MessageTemplate.objects.get()
    assert template.live
    assert [text.language for text in template.texts.all()] == ["en", "fr"]
    assert template.texts.first().subject == "Well done, {name}"
    browser_problems.assert_none()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_pages_have_no_barrier_and_fit(
    language: str,
    width: int,
    admin_page: Page,  # noqa: F811
    live_server: Any,
    browser_problems: Any,
) -> None:
    page = admin_page
    reads(ADMIN, language)
    make_program()
    user = make_user("camille@example.com", "Camille")
    message = Message.objects.create(
        kind="reward_given",
        key="test:1",
        user=user,
        state="failed",
        reason="not_taken",
        created_at=NOW,
        data={"side": "advocate", "amount": "15.00", "currency": "EUR"},
    )
    with translation.override(language):
        of_a_step = write_ready(next(iter(ready_sequences)).key).steps.all()[0].template
    page.set_viewport_size({"width": width, "height": 800})
    faults = []
    for name, args, query in (
        (OVERVIEW, [], ""),
        ("wagtail_referrals_templates:list", [], ""),
        ("wagtail_referrals_templates:add", [], "?kind=reward_given"),
        ("wagtail_referrals_templates:edit", [of_a_step.pk], ""),
        ("wagtail_referrals_sent:index", [], ""),
        ("wagtail_referrals_sent:inspect", [message.pk], ""),
    ):
        address = reverse(name, args=args) + query
        page.goto(live_server.url + address)
        for summary in page.locator(".referral-glossary summary").all():
            summary.click()
        faults += [f"{address}: {fault}" for fault in (*audit(page), *cut_off(page))]
        wider = page.evaluate("document.documentElement.scrollWidth") - width
        faults += [f"{address}: {wider} px too wide"] if wider > 0 else []
    assert not faults, "\n".join(faults)
    browser_problems.assert_none()
