"""<referral-share> in a real browser, under a strict policy: copying, the share sheet, the links, no script at all."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone

from tests.browser_fixtures import PHONE
from tests.site.conftest import publish
from tests.site.test_browser import ACCOUNT, STRICT, strict
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.site import layout
from wagtail_referrals.tracking.models import Share

OURS = "I invite you. Your present: 10% off one order."

# A share sheet that takes files, or not, and remembers what it was given.
SHEET = """
window.shared = [];
navigator.share = async (data) => {
    window.shared.push({ ...data, files: (data.files ?? []).map((file) => [file.name, file.type, file.size > 1000]) });
    if (window.refusal) throw new DOMException("", window.refusal);
};
"""
FILES = SHEET + "navigator.canShare = () => true;"
# Moves of what was there already, from the first paint on.
SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def without_connections(get_response):
    """The policy of a site that lets scripts fetch nothing."""

    def answer(request):
        response = get_response(request)
        response.headers["Content-Security-Policy"] = STRICT.replace(
            "connect-src 'self'", "connect-src 'none'"
        )
        return response

    return answer


@pytest.fixture
def shop(transactional_db, alone, monkeypatch, settings):
    """Our pages alone: the shop's own layout has scripts of its own."""
    monkeypatch.setattr(layout, "ACCOUNT_BASE", "wagtail_referrals/default_base.html")
    settings.MIDDLEWARE = [f"{strict.__module__}.{strict.__name__}", *settings.MIDDLEWARE]
    return publish()


@pytest.fixture
def link(shop, make_user, live_server):
    """The share link of a customer who has confirmed their name."""
    advocate = people.advocate_for(make_user("camille"))
    Advocate.objects.update(name_confirmed_at=timezone.now())
    return live_server.url + people.share_path(people.code_of(advocate))


@pytest.fixture
def open_panel(link, new_page, live_server, client):
    """The account page of that customer; ``script`` runs before those of the page."""

    def open_it(script="", path=ACCOUNT, **options):
        page = new_page(**options)
        client.force_login(Advocate.objects.get().user)
        page.context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        # Nothing leaves this machine: what would open another site opens an empty page.
        page.context.route(re.compile("^https:"), lambda route: route.fulfill(body="elsewhere"))
        if script:
            page.add_init_script(script)
        page.goto(path)
        return page

    return open_it


def wait_for_shares(page, number):
    """The ways of the shares counted so far; the script counts beside what it does."""
    for _ in range(200):
        if Share.objects.count() >= number:
            break
        page.wait_for_timeout(50)
    return list(Share.objects.order_by("pk").values_list("channel", flat=True))


def way(page, name):
    return page.get_by_role("link", name=name, exact=True)


def address(page, name):
    return urlsplit(way(page, name).get_attribute("href"))


def test_the_copied_link_is_counted(open_panel, link, browser_problems):
    page = open_panel(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").dblclick()
    page.get_by_role("status").get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{link}?via=copy"
    assert wait_for_shares(page, 1) == ["copy"]
    browser_problems.assert_none()


def test_without_a_clipboard_it_is_copied_the_old_way(open_panel, browser_problems):
    page = open_panel("navigator.clipboard.writeText = async () => { throw new Error('refused'); };")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("status").get_by_text("Copied").wait_for()
    assert wait_for_shares(page, 1) == ["copy"]
    browser_problems.assert_none()


def test_where_nothing_can_be_copied_the_link_is_selected_and_nothing_counted(open_panel, link):
    page = open_panel(
        "navigator.clipboard.writeText = async () => { throw new Error('refused'); };"
        "document.execCommand = () => false;"
    )
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("status").get_by_text("Please copy the link by hand.").wait_for()
    assert page.evaluate("getSelection().toString()") == f"{link}?via=copy"
    assert not Share.objects.exists()


def test_the_links_lead_straight_to_the_other_programs(open_panel, link, browser_problems):
    page = open_panel()
    assert parse_qs(address(page, "WhatsApp").query) == {"text": [f"{OURS}\n{link}?via=whatsapp"]}
    assert address(page, "Text message").scheme == "sms"
    assert parse_qs(address(page, "X").query) == {"text": [OURS], "url": [f"{link}?via=x"]}
    with page.context.expect_page() as opened:
        way(page, "Telegram").click()
    assert opened.value.url.startswith("https://t.me/share/url?url=")
    assert wait_for_shares(page, 1) == ["telegram"]
    browser_problems.assert_none()


def test_the_server_and_the_script_fill_in_the_same_addresses(open_panel):
    page = open_panel()
    plain = open_panel(java_script_enabled=False)
    for name in ("WhatsApp", "E-mail", "Text message", "Telegram", "Facebook", "X", "LinkedIn"):
        counted = way(plain, name).get_attribute("href")
        location = plain.request.get(counted, max_redirects=0).headers["location"]
        # Python and browsers write "'" and "!" differently, and mean the same.
        assert unquote(location) == unquote(way(page, name).get_attribute("href")), name


def test_the_links_follow_what_the_advocate_writes(open_panel, link, browser_problems):
    page = open_panel()
    message = page.get_by_label("Your message")
    assert message.input_value() == OURS
    message.fill("Ça te dit ?\n100 % & +")
    assert parse_qs(address(page, "WhatsApp").query) == {
        "text": [f"Ça te dit ?\n100 % & +\n{link}?via=whatsapp"]
    }
    assert parse_qs(address(page, "E-mail").query) == {
        "subject": ["Camille invites you"],
        "body": [f"Ça te dit ?\r\n100 % & +\r\n\r\n{link}?via=email"],
    }
    assert parse_qs(address(page, "Telegram").query)["text"] == ["Ça te dit ?\n100 % & +"]
    assert parse_qs(address(page, "Facebook").query) == {"u": [f"{link}?via=facebook"]}
    message.fill("")
    assert parse_qs(address(page, "WhatsApp").query) == {"text": [f"{link}?via=whatsapp"]}
    way(page, "Telegram").click(button="right")
    with page.context.expect_page():
        way(page, "WhatsApp").click(button="middle")
    assert wait_for_shares(page, 1) == ["whatsapp"]
    browser_problems.assert_none()


def test_the_share_sheet_gets_the_message_the_link_and_counts(open_panel, link, browser_problems):
    page = open_panel(SHEET, **PHONE)
    page.get_by_label("Your message").fill("Come with me")
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length")
    assert page.evaluate("window.shared") == [
        {"url": f"{link}?via=share", "title": "Camille invites you", "text": "Come with me", "files": []}
    ]
    assert wait_for_shares(page, 1) == ["share"]
    browser_problems.assert_none()


def test_the_share_sheet_gets_the_picture_where_it_takes_files(open_panel, link, browser_problems):
    page = open_panel(FILES, **PHONE)
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length")
    # Beside a file some programs drop the address: it is in the text as well.
    assert page.evaluate("window.shared") == [
        {
            "title": "Camille invites you",
            "text": f"{OURS}\n{link}?via=share",
            "files": [["invitation.png", "image/png", True]],
        }
    ]
    assert wait_for_shares(page, 1) == ["share"]
    browser_problems.assert_none()


def test_the_picture_is_the_advocates_choice(open_panel, browser_problems):
    page = open_panel(FILES, **PHONE)
    page.get_by_text("A picture to send along").click()
    page.get_by_label("Send it from the share menu").uncheck()
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length")
    assert page.evaluate("window.shared[0].files") == []
    assert wait_for_shares(page, 1) == ["share"]
    browser_problems.assert_none()


def test_on_apples_devices_the_link_comes_first(open_panel):
    apple = "Object.defineProperty(Navigator.prototype, 'vendor', { get: () => 'Apple Computer, Inc.' });"
    page = open_panel(FILES + apple, **PHONE)
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length")
    assert page.evaluate("window.shared[0].files") == [] and page.evaluate("!!window.shared[0].url")
    page.get_by_text("A picture to send along").click()
    assert not page.get_by_label("Send it from the share menu").is_checked()
    assert wait_for_shares(page, 1) == ["share"]


def test_a_picture_that_does_not_come_keeps_nobody_waiting(open_panel, live_server):
    page = open_panel(FILES, **PHONE)
    page.context.route("**/picture.png", lambda route: None)
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length", timeout=5_000)
    assert page.evaluate("window.shared[0].files") == []
    assert wait_for_shares(page, 1) == ["share"]


def test_who_closes_the_sheet_has_shared_nothing(open_panel, browser_problems):
    page = open_panel(SHEET + "window.refusal = 'AbortError';", **PHONE)
    page.get_by_role("button", name="Share").click()
    page.wait_for_function("() => window.shared.length")
    assert page.get_by_role("status").text_content() == ""
    page.get_by_role("button", name="Copy").click()
    assert wait_for_shares(page, 1) == ["copy"]
    browser_problems.assert_none()


def test_a_sheet_that_fails_gives_way_to_the_copy(open_panel, browser_problems):
    page = open_panel(SHEET + "window.refusal = 'NotAllowedError';", **PHONE)
    page.get_by_role("button", name="Share").click()
    page.get_by_role("status").get_by_text("Copied").wait_for()
    assert wait_for_shares(page, 1) == ["copy"]
    browser_problems.assert_none()


def test_messenger_is_shown_where_its_app_can_be(open_panel, link):
    assert way(open_panel(), "Messenger").count() == 0
    phone = open_panel(**PHONE)
    assert address(phone, "Messenger").scheme == "fb-messenger"
    assert parse_qs(address(phone, "Messenger").query) == {"link": [f"{link}?via=messenger"]}
    assert way(open_panel(java_script_enabled=False, **PHONE), "Messenger").is_visible()


def test_with_the_keyboard_alone(open_panel, link, browser_problems):
    page = open_panel(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Your link").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Copy"
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Copied").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Typed")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "WhatsApp"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    assert parse_qs(urlsplit(opened.value.url).query) == {"text": [f"Typed\n{link}?via=whatsapp"]}
    assert wait_for_shares(page, 2) == ["copy", "whatsapp"]
    browser_problems.assert_none()


def test_without_the_script_the_links_count_and_lead_on(open_panel, link, browser_problems):
    page = open_panel(java_script_enabled=False)
    assert page.get_by_role("button", name="Copy").count() == 0
    assert page.get_by_label("Your message").input_value() == OURS
    assert page.get_by_label("Your message").get_attribute("readonly") is not None
    with page.context.expect_page() as opened:
        way(page, "WhatsApp").click()
    opened.value.wait_for_url("https://wa.me/**")
    assert parse_qs(urlsplit(opened.value.url).query) == {"text": [f"{OURS}\n{link}?via=whatsapp"]}
    assert wait_for_shares(page, 1) == ["whatsapp"]
    browser_problems.assert_none()


def test_without_the_script_the_mail_program_is_opened_from_the_same_page(open_panel):
    page = open_panel(java_script_enabled=False)
    way(page, "E-mail").click()
    assert wait_for_shares(page, 1) == ["email"]
    assert page.get_by_label("Your link").is_visible() and len(page.context.pages) == 1


def test_a_policy_without_connections_is_counted_too(open_panel, settings, browser_problems):
    settings.MIDDLEWARE = [f"{__name__}.without_connections", *settings.MIDDLEWARE]
    browser_problems.allow("Content Security Policy")
    page = open_panel()
    page.get_by_role("button", name="Copy").click()
    assert wait_for_shares(page, 1) == ["copy"]
    browser_problems.assert_none()


@pytest.mark.parametrize("script", ["", FILES])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_moves_when_the_script_comes(open_panel, width, script):
    page = open_panel(SHIFTS + script, path="/r/", viewport={"width": width, "height": 1400})
    held = []
    page.context.route("**/referrals.js", lambda route: held.append(route))
    page.goto(ACCOUNT, wait_until="commit")
    # Everything has been painted before the script comes.
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    assert page.get_by_role("button", name="Copy").count() == 0
    held[0].continue_()
    page.get_by_role("button", name="Copy").wait_for()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("window.shift") == 0


@pytest.mark.parametrize("script", ["", FILES])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_barrier_and_nothing_that_sticks_out(open_panel, width, language, script):
    page = open_panel(
        script,
        path=ACCOUNT.replace("en", language, 1),
        viewport={"width": width, "height": 800},
        locale=language,
        bypass_csp=True,
    )
    page.locator("summary", has_text={"en": "A picture", "fr": ""}[language]).first.click()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
