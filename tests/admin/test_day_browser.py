"""An editor's day in a real browser: a ready-made program, its dates, the order, the page of a referrer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from playwright.sync_api import expect
from wagtail.models import Site
from wagtail.users.models import UserProfile

from tests.admin.rows import make_advocate, make_program, make_referral, make_user
from tests.admin.test_browser import admin_page
from wagtail_referrals.programs import publish_terms
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site.settings import ReferralSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["admin_page"]

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "wagtail_referrals_programs:list"


def test_a_program_is_dragged_with_the_keyboard(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    for name in "ABC":
        make_program(name=name)
    page = admin_page
    page.goto(live_server.url + reverse(LIST))
    handles = page.locator("td.ord button")
    expect(handles).to_have_count(3)
    # Once the script listens.
    page.locator("table[data-controller=w-orderable]").wait_for()
    page.wait_for_load_state("networkidle")
    handles.nth(2).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    with page.expect_response(lambda response: "/reorder/" in response.url) as answer:
        page.keyboard.press("Enter")
    assert answer.value.status == 200
    assert list(Program.objects.order_by("precedence").values_list("name", flat=True)) == ["C", "A", "B"]
    page.reload()
    assert page.locator("td.referral-title").first.inner_text().startswith("C")
    browser_problems.assert_none()


def test_a_program_is_dragged_with_the_mouse(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    for name in "ABC":
        make_program(name=name)
    page = admin_page
    page.goto(live_server.url + reverse(LIST))
    page.locator("table[data-controller=w-orderable]").wait_for()
    page.wait_for_load_state("networkidle")
    handles, rows = page.locator("td.ord button"), page.locator("td.referral-title")
    third, first = handles.nth(2).bounding_box(), handles.nth(0).bounding_box()
    assert third is not None and first is not None
    across = third["x"] + third["width"] / 2
    page.mouse.move(across, third["y"] + third["height"] / 2)
    page.mouse.down()
    # As a hand does, which goes on moving: rows that give way are over nothing yet.
    for step in range(200):
        page.mouse.move(across, first["y"] + first["height"] / 2 + step % 3)
        page.evaluate("() => new Promise(requestAnimationFrame)")
        if rows.first.inner_text().startswith("C"):
            break
    with page.expect_response(lambda response: "/reorder/" in response.url) as answer:
        page.mouse.up()
    assert answer.value.status == 200
    assert list(Program.objects.order_by("precedence").values_list("name", flat=True)) == ["C", "A", "B"]
    page.reload()
    expect(rows.first).to_contain_text("C")
    browser_problems.assert_none()


def test_a_program_with_an_audience_is_scheduled(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    ReferralSettings.objects.create(site=Site.objects.get(is_default_site=True), return_days=30)
    page = admin_page
    page.goto(live_server.url + reverse("wagtail_referrals_programs:add"))
    page.get_by_role("link", name="Staff pick").click()
    words = page.locator(".referral-sentence__text")
    expect(words).to_contain_text("When one of your customers in “Our team” refers a friend")
    expect(words).to_contain_text("30 days after delivery")
    expect(page.locator("#id_audience option:checked")).to_have_text("Our team (new)")
    hints = page.locator(".referral-sentence__hints")
    page.fill("[name=hold_days]", "7")
    expect(hints).to_contain_text("orders can be returned for 30")
    page.fill("[name=hold_days]", "30")
    expect(hints).not_to_contain_text("can be returned")
    page.wait_for_load_state("networkidle")
    page.locator("[data-side-panel-toggle=status]").first.click()
    page.get_by_role("button", name="Set schedule").click()
    # Without a focus: the calendar that it opens covers the button, at a moment of its own.
    for field, moment in (("#id_go_live_at", "2099-01-01 09:00"), ("#id_expire_at", "2099-02-01 09:00")):
        page.locator(field).evaluate("(input, value) => { input.value = value }", moment)
    page.get_by_role("button", name="Save schedule").click()
    page.get_by_text("created").first.wait_for()
    page.goto(live_server.url + reverse("wagtail_referrals_programs:edit", args=[Program.objects.get().pk]))
    notes = page.locator(".referral-sentence__notes")
    expect(notes).to_contain_text("It opens on Jan. 1, 2099, 9 a.m.")
    expect(notes).to_contain_text("It ends on Feb. 1, 2099, 9 a.m.")
    page.locator("footer .w-dropdown__toggle, footer [data-w-dropdown-target=toggle]").first.click()
    page.locator("button[name=action-publish]").click()
    page.get_by_text("scheduled for publishing").first.wait_for()
    row = page.locator(".listing tbody tr").first
    expect(row).to_contain_text("opens on 01/01/2099 9 a.m.")
    expect(row).to_contain_text("opens later", ignore_case=True)
    browser_problems.assert_none()


def test_no_field_is_hidden_by_what_is_beside_the_form(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    page = admin_page
    program = make_program(name="Give")
    page.goto(live_server.url + reverse("wagtail_referrals_programs:edit", args=[program.pk]))
    page.wait_for_load_state("networkidle")
    beside = page.locator("[data-side-panel=status]")
    if not beside.is_visible():
        page.locator("[data-side-panel-toggle=status]").first.click()
    expect(beside).to_be_visible()
    # As wide as there is room.
    room = page.locator(".referral-sentence")
    fields = page.locator("#id_rules-FORMS :is(select, input, .help)").filter(visible=True)
    assert fields.count() > 6
    for field in fields.all():
        expect(field).to_be_visible()
        assert field.evaluate(
            "(it, room) => it.getBoundingClientRect().right <= room.getBoundingClientRect().right",
            room.element_handle(),
        ), field
    browser_problems.assert_none()


def test_the_header_of_the_programs_leaves_a_phone_room(
    admin_page: Page, live_server: Any, browser_problems: Any
) -> None:
    """The title, the buttons and the search: a row each, also in French."""
    page = admin_page
    UserProfile.objects.update_or_create(
        user=get_user_model().objects.get(email="admin@example.com"), defaults={"preferred_language": "fr"}
    )
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(live_server.url + reverse(LIST))
    header = page.locator("header.w-slim-header").bounding_box()
    assert header is not None
    assert header["height"] < 160
    page.get_by_role("link", name="Synthèse des parrainages").click()
    page.wait_for_url("**/summary/")
    browser_problems.assert_none()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_our_screens_are_accessible_and_fit(
    admin_page: Page, live_server: Any, browser_problems: Any, width: int, theme: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    program = make_program(name="Give")
    referral = make_referral(publish_terms(program), make_advocate(), make_user("lea@example.com", "Léa"))
    site = Site.objects.get(is_default_site=True)
    page = admin_page
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    ours = {
        reverse(LIST): [".referral-explanation", "table.listing"],
        reverse("wagtail_referrals_programs:add"): [".referral-choose"],
        reverse("wagtail_referrals_programs:edit", args=[program.pk]): [".referral-sentence"],
        reverse("wagtail_referrals_advocates:inspect", args=[referral.advocate_id]): [".referral-record"],
        reverse("wagtail_referrals_advocates:index"): [".referral-explanation"],
        reverse("wagtailsettings:edit", args=["wagtail_referrals", "referralsettings", site.pk]): [
            ".w-panel__content"
        ],
    }
    for path, parts in ours.items():
        page.goto(live_server.url + path)
        for summary in page.locator(".referral-glossary summary").all():
            summary.click()
        answer = Axe().run(page, context={"include": [[part] for part in parts]}).response
        assert answer["passes"], "axe has looked at nothing"
        found = answer["violations"]
        assert not found, [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in found]
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} px too wide"
    browser_problems.assert_none()
