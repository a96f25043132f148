"""The desk in a real browser: a scanner types and sends Enter, and a finger presses twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect
from wagtail.users.models import UserProfile

from oscar_integration.memberships.models import Membership, Plan, Use
from tests.browser_fixtures import PHONE
from tests.memberships.rows import give, make_plan, make_user

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)

DESK = "/admin/memberships/check-in/"
FIELD = "Code, name or e-mail address"
TABLET: dict[str, Any] = {"viewport": {"width": 820, "height": 1180}, "has_touch": True}


@pytest.fixture
def desk(new_page: Callable[..., Page], live_server: Any, browser_problems: Any) -> Callable[..., Page]:
    """Open the desk as somebody who may do nothing else."""
    # Wagtail asks its maker for the newest version; there is no network here.
    browser_problems.allow("releases.wagtail.org|ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|gravatar")
    user = make_user("dominique@example.com", "Dominique")
    group = Group.objects.create(name="Desk")
    group.permissions.add(*Permission.objects.filter(codename__in=("access_admin", "record_use")))
    user.groups.add(group)
    client = Client()
    client.force_login(user)

    def open_desk(**options: Any) -> Page:
        page = new_page(**options)
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page.goto(DESK)
        return page

    return open_desk


@pytest.fixture
def members(transactional_db: None) -> list[Membership]:
    """Three who may come: Camille with ten uses, Léa with one, Noé as often as he likes."""
    now = timezone.now()
    ten = make_plan("ten", name="Ten visits", uses=10)
    once = make_plan("friend", name="Friend's pass", uses=1)
    monthly = make_plan("monthly", name="Monthly membership")
    return [
        give(make_user("camille@example.com", "Camille", "Laurent"), ten, now=now),
        give(make_user("lea@example.com", "Léa", "Morel"), once, now=now),
        give(make_user("noe@example.com", "Noé", "Rivière"), monthly, now=now),
    ]


def result(page: Page) -> Any:
    """What the page says about the visit."""
    return page.get_by_role("region", name="What was recorded")


def picture(page: Page, name: str) -> None:
    """Where PICTURES names a folder, for whoever wants to look."""
    if os.environ.get("PICTURES"):
        page.screenshot(path=f"{os.environ['PICTURES']}/{name}.png", full_page=True)


def test_a_scanner_at_the_desk(desk: Any, members: list[Membership], browser_problems: Any) -> None:
    page = desk(**TABLET)
    picture(page, "list")
    camille, lea, _noe = members
    # The field has the cursor, and has it again after each code.
    for code, words in (
        (camille.code, "Camille Laurent, Ten visits: visit recorded, 9 left."),
        (lea.code, "Léa Morel, Friend's pass: visit recorded, 0 left."),
        (lea.code, "No uses are left."),
        ("K7Q29XMB", "No membership has the code K7Q2 9XMB."),
        (camille.code, "Is this another one?"),
    ):
        expect(page.get_by_label(FIELD)).to_be_focused()
        page.keyboard.type(code)
        page.keyboard.press("Enter")
        expect(result(page)).to_contain_text(words)
        picture(page, words[:12])
    assert Use.objects.count() == 2
    assert page.url.endswith(DESK)

    page.get_by_role("button", name="Record another visit").click()
    expect(result(page)).to_contain_text("8 left")
    result(page).get_by_role("button", name="Undo").click()
    expect(result(page)).to_contain_text("Camille Laurent, Ten visits: visit undone, 9 left.")
    expect(result(page).get_by_role("button")).to_have_count(0)
    picture(page, "undone")
    browser_problems.assert_none()


def test_a_double_click_is_one_visit(desk: Any, members: list[Membership], browser_problems: Any) -> None:
    page = desk()
    page.get_by_role("button", name="Record a visit (Camille Laurent, Ten visits)").dblclick()
    expect(result(page)).to_contain_text("visit recorded, 9 left")
    assert Use.objects.count() == 1
    # Back in the browser, and pressed again.
    page.go_back()
    page.get_by_role("button", name="Record a visit (Léa Morel, Friend's pass)").click()
    expect(result(page)).to_contain_text("Léa Morel, Friend's pass: visit recorded, 0 left.")
    visits = page.get_by_role("region", name="Today's visits")
    expect(visits.get_by_role("listitem")).to_have_count(2)
    visits.get_by_role("button", name="Undo (Léa Morel)").click()
    expect(result(page)).to_contain_text("visit undone, 1 left")
    assert Membership.objects.get(plan__slug="friend").uses_left == 1
    browser_problems.assert_none()


@pytest.mark.parametrize("scripts", [True, False])
def test_found_by_name_on_a_phone_and_without_scripts(
    desk: Any, members: list[Membership], browser_problems: Any, scripts: bool
) -> None:
    # Without scripts Wagtail leaves its menu over the page of a phone.
    page = desk(**(PHONE if scripts else TABLET), java_script_enabled=scripts)
    picture(page, f"phone-{scripts}")
    page.get_by_label(FIELD).fill("lea@example.com")
    page.get_by_label(FIELD).press("Enter")
    expect(page.get_by_role("heading", name="Whom it may be")).to_be_visible()
    expect(page.get_by_text("Camille Laurent")).to_have_count(0)
    picture(page, f"phone-found-{scripts}")
    assert "lea" not in page.url
    page.get_by_role("button", name="Record a visit").click()
    expect(result(page)).to_contain_text("Léa Morel, Friend's pass: visit recorded, 0 left.")
    page.get_by_label("Plan").select_option(label="Monthly membership")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("button", name="Record a visit")).to_have_count(1)
    assert page.url.endswith(f"?plan={Plan.objects.get(slug='monthly').pk}")
    browser_problems.assert_none()


# What stands over the right edge; Wagtail hides it instead of scrolling.
TOO_WIDE = """[...document.querySelectorAll(".referral-checkin *")]
    .filter(element => element.getBoundingClientRect().right > window.innerWidth)"""


def audit(page: Page) -> list[str]:
    """What axe finds in our own markup; Wagtail's is Wagtail's."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context={"include": [[".referral-checkin"]]}).response
    assert found["passes"], "axe has looked at nothing"
    return [f"{item['id']}: {node['html'][:120]}" for item in found["violations"] for node in item["nodes"]]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_desk_is_accessible_and_fits(
    desk: Any, members: list[Membership], browser_problems: Any, language: str
) -> None:
    user = get_user_model().objects.get(first_name="Dominique")
    UserProfile.objects.create(user=user, preferred_language=language)
    page = desk()
    said = page.locator("#checkin-result")
    field = page.locator("#checkin-text")

    def look() -> None:
        assert audit(page) == []
        for width in (820, 390, 320):
            page.set_viewport_size({"width": width, "height": 900})
            # Wagtail's menu takes a moment to go.
            page.wait_for_function(
                f"width => document.body.clientWidth <= width && !({TOO_WIDE}).length", arg=width
            )
        page.set_viewport_size({"width": 1280, "height": 900})

    expect(page.locator("html")).to_have_attribute("lang", language)
    look()
    page.locator(".referral-checkin__list button").first.click()
    expect(said.locator("button")).to_be_visible()
    picture(page, f"recorded-{language}")
    look()
    said.locator("button").click()
    expect(page.locator(".referral-checkin__result--undone")).to_be_visible()
    look()
    field.fill("example.com")
    field.press("Enter")
    expect(page.locator("td.referral-checkin__long", has_text="camille@example.com")).to_be_visible()
    picture(page, f"found-{language}")
    look()
    field.fill("nobody")
    field.press("Enter")
    expect(said).to_contain_text("nobody")
    look()
    browser_problems.assert_none()
