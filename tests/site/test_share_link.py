"""``/r/<code>/``: one visit, one cookie, one page. Who gets what, and what it costs."""

from __future__ import annotations

import html
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.site.conftest import BROWSER, publish
from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.attribution import watch_until
from wagtail_referrals.tracking.models import Claim, Visit

FRENCH = {"user-agent": BROWSER, "accept-language": "fr-FR,fr;q=0.9"}


def text_of(response) -> str:
    return html.unescape(response.content.decode())


def kind_of(response) -> str:
    return response.context["invitation"].kind


def test_the_friend_is_invited_by_name_and_told_what_they_get(browser_client, link, terms):
    response = browser_client.get(link)
    assert response.status_code == 200 and kind_of(response) == "friend"
    text = text_of(response)
    assert "Camille invites you" in text and "10% off one order" in text
    assert "For new customers only." in text and "Not for cash." in text
    assert "camille@example.com" not in text
    visit = Visit.objects.get()
    assert (visit.terms, visit.advocate.public_name, visit.language) == (terms, "Camille", "en")


def test_in_the_visitors_language(link, terms):
    response = Client(headers=FRENCH).get(link)
    assert response.headers["Content-Language"] == "fr" and 'lang="fr"' in text_of(response)
    assert "10 %" in text_of(response).replace("\u202f", " ").replace("\xa0", " ")
    assert "Sans échange en espèces." in text_of(response) and Visit.objects.get().language == "fr"


def test_the_language_that_the_visitor_chose_on_the_site_wins(link, terms, settings):
    client = Client(headers=FRENCH)
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    assert client.get(link).headers["Content-Language"] == "en"


def test_a_link_preview_reads_the_language_of_who_shares(link, terms, advocate):
    Advocate.objects.update(language="fr")
    people.forget_code(advocate)
    response = Client(headers={"user-agent": "WhatsApp/2.23.20.0"}).get(link)
    assert response.headers["Content-Language"] == "fr" and not Visit.objects.exists()


def test_a_name_is_not_needed(browser_client, link, terms, advocate):
    Advocate.objects.update(public_name="")
    people.forget_code(advocate)
    assert "A friend invites you" in text_of(browser_client.get(link))


def test_a_name_is_written_as_text(browser_client, link, terms, advocate):
    Advocate.objects.update(public_name="<b>&\"'")
    people.forget_code(advocate)
    assert "<b>&" not in browser_client.get(link).content.decode()


def test_a_share_link_costs_one_write_and_no_more(link, terms, alone, django_assert_num_queries):
    Client(headers={"user-agent": BROWSER}).get(link)
    with django_assert_num_queries(1) as queries:
        response = Client(headers={"user-agent": BROWSER}).get(link)
    assert queries[0]["sql"].startswith("INSERT") and "referral" in response.cookies
    with django_assert_num_queries(1):
        Client(headers={"user-agent": BROWSER}).get(f"{link}?to=/en/basket/&via=whatsapp")


def test_with_a_cold_cache_it_costs_a_bounded_number_of_reads(
    link, terms, alone, django_assert_max_num_queries
):
    Client(headers={"user-agent": BROWSER}).get(link)
    people.forget_code(Advocate.objects.get())
    with django_assert_max_num_queries(2):
        Client(headers={"user-agent": BROWSER}).get(link)


def test_the_same_click_again_is_the_same_visit(
    browser_client, link, terms, alone, django_assert_num_queries
):
    browser_client.get(link)
    # Read once: has this visitor used the invitation since?
    with django_assert_num_queries(1) as queries:
        again = browser_client.get(link)
    assert queries[0]["sql"].startswith("SELECT")
    with django_assert_num_queries(0):
        browser_client.get(f"{link}?to=/en/basket/")
    assert Visit.objects.count() == 1 and "referral" not in again.cookies and kind_of(again) == "friend"
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert "referral" in browser_client.get(link).cookies
    assert Visit.objects.count() == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
        {"user-agent": BROWSER, "sec-purpose": "prefetch"},
        {"user-agent": BROWSER, "purpose": "prefetch"},
    ],
)
def test_who_only_looks_sees_the_page_and_leaves_nothing(headers, link, terms):
    response = Client(headers=headers).get(link)
    assert response.status_code == 200 and "Camille" in text_of(response)
    assert not Visit.objects.exists() and "referral" not in response.cookies


def test_head_is_no_visit_and_post_is_refused(browser_client, link, terms):
    assert browser_client.head(link).status_code == 200
    assert browser_client.post(link).status_code == 405
    assert not Visit.objects.exists()


@pytest.mark.parametrize(
    "code",
    [
        "",
        "ZZZZZZZZ",
        "x",
        "é",
        "a" * 3000,
        "../../etc/passwd",
        "%00",
        "%0a",
        "a/b/c",
        "' OR 1=1 --",
        "{{7*7}}",
    ],
)
def test_an_unknown_code_shows_the_general_page(code, browser_client, terms):
    response = browser_client.get(f"/r/{code}/" if code else "/r/")
    assert response.status_code == 200 and kind_of(response) == "unknown"
    assert not Visit.objects.exists() and "referral" not in response.cookies
    assert 'content="noindex"' in text_of(response)


def test_an_unknown_code_costs_no_write_and_is_remembered(terms, alone, django_assert_num_queries):
    Client().get("/r/ZZZZZZZZ/")
    with django_assert_num_queries(0):
        Client().get("/r/ZZZZZZZZ/")


def test_a_code_is_read_as_people_write_it(browser_client, advocate, terms):
    code = people.code_of(advocate)
    written = f"{code[:4]}-{code[4:]}".lower()
    assert kind_of(browser_client.get(f"/r/{written}/")) == "friend"


def test_without_any_program_the_page_says_so(browser_client, link):
    response = browser_client.get(link)
    assert kind_of(response) == "closed" and "referral" not in response.cookies
    assert Visit.objects.get().terms is None


@pytest.mark.parametrize("change", ["draft", "expired", "not yet", "other site", "blocked"])
def test_a_closed_program_promises_nothing(change, browser_client, link, terms, advocate):
    if change == "blocked":
        Advocate.objects.update(state=Advocate.State.PAUSED)
        people.forget_code(advocate)
    else:
        values = {
            "draft": {"live": False},
            "expired": {"expire_at": timezone.now() - timedelta(seconds=1)},
            "not yet": {"go_live_at": timezone.now() + timedelta(days=1)},
        }.get(change)
        if values is None:
            from wagtail.models import Page, Site

            other = Site.objects.create(hostname="other.example.com", root_page=Page.get_first_root_node())
            values = {"site": other}
        Program.objects.update(**values)
        cache.clear()
    response = browser_client.get(link)
    # Where another site offers it, the page leads there.
    assert kind_of(response) == ("elsewhere" if change == "other site" else "closed")
    assert "10%" not in text_of(response)
    assert "referral" not in response.cookies


def test_who_has_committed_before_it_closed_keeps_the_promise(browser_client, link, terms):
    browser_client.get(link)
    Program.objects.update(live=False)
    cache.clear()
    assert kind_of(browser_client.get(link)) == "closed"
    tracking.create_claim(visit=Visit.objects.earliest("pk"), source="link")
    assert kind_of(browser_client.get(link)) == "friend"


def test_ones_own_link_is_no_visit(browser_client, link, terms, camille):
    browser_client.force_login(camille)
    response = browser_client.get(link)
    assert kind_of(response) == "own" and "/en/account/refer-a-friend/" in text_of(response)
    assert "Camille invites you" in text_of(response)
    assert not Visit.objects.exists() and "referral" not in response.cookies


@pytest.fixture
def customers(monkeypatch):
    """Everybody who is logged in has ordered before."""
    from wagtail_referrals.referrals import get_shop

    monkeypatch.setattr(type(get_shop()), "was_customer", lambda self, **asked: True)


def test_who_has_ordered_before_is_told_that_the_offer_is_for_new_customers(
    browser_client, link, terms, make_user, customers
):
    browser_client.force_login(make_user("lea"))
    response = browser_client.get(link)
    assert kind_of(response) == "customer" and "for new customers" in text_of(response)
    assert "referral" not in response.cookies and Visit.objects.count() == 1


def test_a_program_for_everybody_takes_customers_too(browser_client, link, make_user, customers):
    publish(new_customers_only=False)
    browser_client.force_login(make_user("lea"))
    assert kind_of(browser_client.get(link)) == "friend"


def test_a_shop_that_does_not_answer_does_not_break_the_page(
    browser_client, link, terms, make_user, monkeypatch
):
    from wagtail_referrals.referrals import get_shop

    def fail(self, *args, **kwargs):
        raise RuntimeError("no answer")

    monkeypatch.setattr(type(get_shop()), "was_customer", fail)
    monkeypatch.setattr(type(get_shop()), "start_url", fail)
    browser_client.force_login(make_user("lea"))
    assert kind_of(browser_client.get(link)) == "friend"


def test_the_call_to_action_goes_through_the_link(browser_client, link, terms):
    response = browser_client.get(link)
    action = response.context["invitation"].action_url
    assert action.startswith(f"{link}?to=")
    followed = Client(headers={"user-agent": BROWSER}).get(action)
    assert followed.status_code == 302 and followed.url == "/en/catalogue/" and "referral" in followed.cookies


def test_a_present_that_waits_for_an_account_leads_to_one(browser_client, link, make_user):
    publish(friend={"kind": "credit", "amounts": {"EUR": "5.00"}})
    page = browser_client.get(link)
    buttons = [
        node.text for node in BeautifulSoup(page.content, "html.parser").select(".referrals-actions a")
    ]
    assert buttons == ["Open an account", "To the shop"]
    followed = Client(headers={"user-agent": BROWSER}).get(page.context["invitation"].account_url)
    assert (followed.status_code, followed.url) == (302, "/en/accounts/register/")
    assert "referral" in followed.cookies
    # Who has an account has it waiting there.
    browser_client.force_login(make_user("lea"))
    assert browser_client.get(link).context["invitation"].account_url == ""


def test_a_shop_that_does_not_say_where_accounts_are_opened(browser_client, link, monkeypatch):
    from wagtail_referrals.referrals import get_shop

    def fail(self, request):
        raise RuntimeError("no answer")

    publish(friend={"kind": "credit", "amounts": {"EUR": "5.00"}})
    monkeypatch.setattr(type(get_shop()), "register_url", fail)
    assert browser_client.get(link).context["invitation"].account_url == ""
    monkeypatch.delattr(type(get_shop()), "register_url")
    assert browser_client.get(link).context["invitation"].account_url == ""


def test_the_channel_is_kept_if_it_is_one(link, terms):
    for via in ("whatsapp", "WhatsApp", "nonsense", "a" * 500, "", "\x00"):
        Client(headers={"user-agent": BROWSER}).get(link, {"via": via})
    assert list(Visit.objects.order_by("pk").values_list("channel", flat=True)) == [
        "whatsapp", "whatsapp", "", "", "", "",
    ]  # fmt: skip


def test_share_previews_are_personal(browser_client, link, terms):
    text = text_of(browser_client.get(link))
    assert '<meta property="og:title" content="Camille invites you">' in text
    assert '<meta property="og:description" content="Your present: 10% off one order">' in text
    assert f'<meta property="og:image" content="http://testserver{link}picture.png">' in text
    assert f'<link rel="canonical" href="http://testserver{link}">' in text
    assert '<meta name="robots" content="noindex">' in text


def test_the_answer_is_kept_by_nobody(browser_client, link, terms):
    for address in (link, f"{link}?to=/en/basket/", "/r/ZZZZZZZZ/"):
        response = browser_client.get(address)
        assert {"no-store", "private"} <= set(response.headers["Cache-Control"].split(", "))
        assert response.headers["X-Robots-Tag"] == "noindex"


def test_no_script_and_no_style_in_the_page(browser_client, link, terms, alone):
    text = text_of(browser_client.get(link))
    assert "<style" not in text and " style=" not in text and " onclick" not in text
    assert text.count("<script") == text.count('<script type="module" src=')


# Two people send the same friend.


@pytest.fixture
def other_link(make_user):
    other = people.advocate_for(make_user("paul"))
    return people.share_path(people.code_of(other))


def remembered(client) -> str:
    request = type("Request", (), {"COOKIES": {"referral": client.cookies["referral"].value}})()
    return tracking.arrival_of(request).visit.advocate.public_name


def test_the_last_link_wins_where_the_terms_say_so(browser_client, link, other_link, terms):
    browser_client.get(link)
    browser_client.get(other_link)
    assert remembered(browser_client) == "Paul" and Visit.objects.count() == 2


def test_the_first_link_wins_where_the_terms_say_so(browser_client, link, other_link):
    publish(touch="first")
    browser_client.get(link)
    response = browser_client.get(other_link)
    assert "referral" not in response.cookies and remembered(browser_client) == "Camille"
    assert Visit.objects.count() == 2  # Paul sees that his link was opened


def test_the_first_link_wins_for_its_days_only(browser_client, link, other_link):
    publish(touch="first", window_days=5)
    browser_client.get(link)
    with time_machine.travel(timezone.now() + timedelta(days=6)):
        browser_client.get(other_link)
        assert remembered(browser_client) == "Paul"


def test_the_friend_of_the_first_link_reads_the_terms_they_are_bound_to(browser_client, link, other_link):
    publish(touch="first")
    browser_client.get(link)
    program = Program.objects.get()
    program.rules.all().delete()
    program = Program.objects.get()
    from wagtail_referrals.programs import publish_terms
    from wagtail_referrals.programs.models import ProgramRule

    program.rules = [
        ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=Decimal(50))
    ]
    program.save()
    publish_terms(program)
    cache.clear()
    assert "10% off" in text_of(browser_client.get(other_link))
    newcomer = Client(headers={"user-agent": BROWSER, "accept-language": "en"})
    assert "50% off" in text_of(newcomer.get(other_link))


# Consent.


def test_without_consent_there_is_no_cookie_and_the_session_knows(browser_client, link, terms, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "CONSENT": "tests.tracking.test_cookie.deny"}
    response = browser_client.get(link)
    assert "referral" not in response.cookies and settings.SESSION_COOKIE_NAME in response.cookies
    assert kind_of(browser_client.get(link)) == "friend" and Visit.objects.count() == 1
    assert f"{link}?to=" in text_of(response)


def test_forged_and_old_cookies_are_ignored(link, terms):
    for cookie in ("x", "1-1-1-1-1-1:x", "", "é"):
        client = Client(headers={"user-agent": BROWSER})
        client.cookies["referral"] = cookie
        response = client.get(link)
        assert response.status_code == 200 and "referral" in response.cookies


def test_the_cookie_leads_to_a_claim(browser_client, link, terms):
    from wagtail_referrals import rewards

    browser_client.get(link)
    request = type("Request", (), {"COOKIES": {"referral": browser_client.cookies["referral"].value}})()
    claim = rewards.commit(visit=tracking.arrival_of(request).visit, basket_reference="1", source="link")
    assert claim is not None and claim.state == Claim.State.OPEN and claim.visit == Visit.objects.get()


def test_terms_with_days_beyond_the_calendar_still_promise(browser_client, link, advocate):
    # The most that PostgreSQL's column takes; in the terms, what only SQLite's would have let through.
    terms = publish(window_days=32_767, hold_days=32_767, clawback_days=32_767)
    data = {**terms.data, "window_days": 9_999_999, "hold_days": 99_999_999_999, "clawback_days": 9_999_999}
    data["rules"] = [{**rule, "expires_days": 99_999_999} for rule in data["rules"]]
    type(terms).objects.filter(pk=terms.pk).update(data=data)
    terms.refresh_from_db()
    parsed = programs.parse(terms)
    assert browser_client.get(link).status_code == 200
    visit = Visit.objects.get()
    claim, created = tracking.create_claim(visit=visit, source="link")
    assert created and claim.expires_at.year > 2100
    assert watch_until(parsed, timezone.now()).year > 2100
    assert timezone.now() + timedelta(days=parsed.rules[0].expires_days)


def test_a_share_link_never_fails(browser_client, link, terms, monkeypatch, caplog):
    def broken(*args, **kwargs):
        raise OverflowError("date value out of range")

    monkeypatch.setattr(tracking, "record_visit", broken)
    response = browser_client.get(link)
    assert response.status_code == 200 and kind_of(response) == "general"
    assert "no-store" in response.headers["Cache-Control"]
    assert "A share link failed" in caplog.text
    assert browser_client.get(f"{link}?to=/en/").headers["Location"] == "/en/"
    monkeypatch.setattr(programs, "pick_terms", broken)
    assert browser_client.get(link).status_code == 302
