"""Landing pages in a shared cache: nobody's page reaches somebody else, and nobody's visit is lost. Off by default."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup
from django.contrib import messages
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from oscar.core.loading import get_model
from wagtail.models import Site

from tests.shared_cache import SharedCache, Visitor, as_configured, serve
from tests.site.conftest import BROWSER, publish
from tests.site.test_browser import STRICT
from wagtail_referrals import checks, people, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site import nobody
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.tracking import SharedCacheMiddleware, mark_for_everybody
from wagtail_referrals.tracking.models import Claim, Lead, Visit

FIRST = "wagtail_referrals.tracking.SharedCacheMiddleware"
ENGLISH = {"user-agent": BROWSER, "accept-language": "en"}


def switch_on(settings: Any, seconds: int = 300) -> None:
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": seconds}
    settings.MIDDLEWARE = [FIRST, *settings.MIDDLEWARE]


@pytest.fixture
def on(settings: Any) -> None:
    switch_on(settings)


@pytest.fixture
def server(db: None) -> Iterator[Any]:
    """The whole shop as a web server calls it, but for the connection, which is the test's and stays open."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield as_configured
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def shop(terms: Any, on: None, server: Any) -> SharedCache:
    """With its own layout, behind the cache."""
    return SharedCache(server)


@pytest.fixture
def landing(db: None) -> LandingPage:
    page = LandingPage(title="Invitation", slug="invitation", headline="{name}: {gift}", keep_by_email=True)
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    return page


def visitor(shop: SharedCache, **headers: str) -> Visitor:
    return Visitor(shop, ENGLISH | headers)


def signed_in(shop: SharedCache, user: Any) -> Visitor:
    client = Client()
    client.force_login(user)
    return Visitor(shop, dict(ENGLISH), {name: morsel.value for name, morsel in client.cookies.items()})


def soup_of(reply: Any) -> BeautifulSoup:
    return BeautifulSoup(reply.content, "html.parser")


def text_of(reply: Any) -> str:
    return " ".join(html.unescape(reply.content.decode()).split())


# What is kept


def test_one_page_for_everybody_who_follows_the_link(shop, link, django_assert_num_queries):
    first = visitor(shop).get(link)
    assert first.status == 200 and "Camille invites you" in text_of(first)
    assert first.headers["Cache-Control"] == "public, max-age=300" and "Set-Cookie" not in first.headers
    varies = first.headers.get("Vary", "").lower()
    assert "cookie" not in varies and "accept-language" not in varies
    assert first.headers["X-Robots-Tag"] == "noindex" and first.headers["Content-Language"] == "en"
    with django_assert_num_queries(0):
        second = visitor(shop, **{"accept-language": "fr"}).get(link)
    assert second.headers["X-Cache"] == "hit" and second.content == first.content
    assert len(shop.asked) == 1 and not shop.violations


def test_it_is_drawn_without_a_query_once_all_is_known(shop, link, alone, django_assert_num_queries):
    visitor(shop).get(link)
    with django_assert_num_queries(0):
        assert visitor(shop).get(f"{link}?via=sms").headers["X-Cache"] == "miss"


def test_nothing_of_who_came_first_is_in_it(shop, link, make_user, landing, advocate):
    """A customer with a basket, a notice that waits, another invitation, and a language of their own."""
    customer = make_user("zoe", last_name="Quaint")
    other = people.advocate_for(make_user("dana"))
    first = signed_in(shop, customer)
    first.headers |= {"accept-language": "fr", "authorization": "Bearer quaint"}
    first.get(f"{people.share_path(people.code_of(other))}seen.gif")
    assert "referral" in first.cookies
    basket = get_model("basket", "Basket").objects.create(owner=customer)
    product = get_model("catalogue", "Product").objects.filter(structure="standalone").first()
    if product is not None:
        basket.lines.create(product=product, quantity=7, line_reference="x")
    reply = first.get(link)
    # The very page that somebody of whom nothing is known is drawn.
    plain = Visitor(shop.app, dict(ENGLISH)).get(link)
    assert reply.headers["X-Cache"] == "miss" and reply.headers["Content-Language"] == "en"
    for word in ("Zoe", "Quaint", "Dana", "Log out", "Sign out"):
        assert word not in text_of(reply)
    assert reply.content == plain.content
    assert not shop.violations and first.cookies.get("sessionid")


def test_the_referrer_too_reads_what_friends_read(shop, link, advocate):
    reply = signed_in(shop, advocate.user).get(link)
    assert "Camille invites you" in text_of(reply) and "your own link" not in text_of(reply)
    assert reply.content == visitor(shop).get(link).content
    # Their own visit is none.
    signed_in(shop, advocate.user).get(f"{link}seen.gif")
    assert not Visit.objects.exists()


def test_a_session_is_left_as_it_is(shop, link, make_user, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    customer = signed_in(shop, make_user("zoe"))
    before = dict(customer.cookies)
    reply = customer.get(link)
    assert not reply.cookies and customer.cookies == before and not shop.violations
    assert "Zoe" in text_of(customer.get("/en/catalogue/"))


def test_the_language_is_the_referrers_and_the_page_leads_to_the_others(shop, link, advocate):
    Advocate.objects.update(language="fr")
    people.forget_code(advocate)
    reply = visitor(shop).get(f"{link}?via=qr")
    assert reply.headers["Content-Language"] == "fr" and soup_of(reply).html["lang"] == "fr"
    (other,) = soup_of(reply).select(".referrals-languages a")
    assert (other["hreflang"], other["href"]) == ("en", "?lang=en&via=qr")
    in_english = visitor(shop).get(f"{link}{other['href']}")
    assert in_english.headers["Content-Language"] == "en" and "Camille invites you" in text_of(in_english)
    assert visitor(shop).get(f"{link}?lang=xx").headers["Content-Language"] == "fr"


@pytest.mark.parametrize("what", ["unknown", "closed", "to", "blocked"])
def test_what_is_for_one_visitor_is_kept_by_nobody(what, shop, link, advocate):
    path = {"unknown": "/r/ZZZZZZZZ/", "to": f"{link}?to=/en/catalogue/"}.get(what, link)
    if what == "closed":
        Program.objects.update(live=False)
    elif what == "blocked":
        Advocate.objects.update(state=Advocate.State.BLOCKED)
        people.forget_code(advocate)
    from django.core.cache import cache

    cache.clear()
    reply = visitor(shop).get(path)
    control = reply.headers["Cache-Control"]
    assert "private" in control and "no-store" in control and not shop.stored
    assert visitor(shop).get(path).headers["X-Cache"] == "miss"


@pytest.mark.parametrize(
    "path", ["/en/account/refer-a-friend/", "/en/catalogue/", "/en/basket/", "/en/accounts/login/"]
)
def test_no_other_page_is_touched(path, shop, make_user):
    customer = signed_in(shop, make_user("zoe"))
    reply = customer.get(path)
    assert "public" not in reply.headers.get("Cache-Control", "") and not shop.stored


def test_the_page_at_its_own_address_is_each_visitors(shop, link, landing):
    friend = visitor(shop)
    friend.get(f"{link}seen.gif")
    reply = friend.get(landing.url)
    assert "Camille: 10% off one order" in text_of(reply) and not shop.stored


# Visits


def test_the_picture_counts_the_visit_and_remembers_it(shop, link):
    friend = visitor(shop)
    page = friend.get(f"{link}?via=whatsapp")
    assert not Visit.objects.exists()
    (picture,) = soup_of(page).select("img.referrals-seen")
    assert picture["alt"] == "" and picture["src"] == f"{link}seen.gif?via=whatsapp"
    seen = friend.get(picture["src"])
    assert seen.headers["Content-Type"] == "image/gif" and seen.content.startswith(b"GIF89a")
    assert "no-store" in seen.headers["Cache-Control"] and "referral" in seen.cookies
    assert Visit.objects.get().channel == "whatsapp"
    # The page again, and a link on it, are the same arrival.
    friend.get(picture["src"])
    friend.get(str(soup_of(page).select_one(".referrals-actions a")["href"]))
    assert Visit.objects.count() == 1
    visitor(shop).get(picture["src"])
    assert Visit.objects.count() == 2


def test_without_pictures_the_links_count(shop, link, landing):
    friend = visitor(shop)
    page = friend.get(f"{link}?via=telegram")
    action = str(soup_of(page).select_one(".referrals-actions a")["href"])
    assert parse_qs(urlsplit(action).query) == {"to": ["/en/catalogue/"], "via": ["telegram"]}
    reply = friend.get(action)
    assert reply.status == 302 and "referral" in friend.cookies and Visit.objects.get().channel == "telegram"


@pytest.mark.parametrize("headers", [{"user-agent": "Googlebot/2.1"}, {"sec-purpose": "prefetch;prerender"}])
def test_who_only_looks_is_not_counted(headers, shop, link):
    looker = visitor(shop, **headers)
    assert looker.get(link).status == looker.get(f"{link}seen.gif").status == 200
    assert not Visit.objects.exists() and not looker.cookies


def test_the_picture_never_fails(shop, link, monkeypatch):
    monkeypatch.setattr(tracking, "record_visit", lambda *args, **kwargs: 1 / 0)
    assert visitor(shop).get(f"{link}seen.gif").content.startswith(b"GIF89a")
    assert visitor(shop).get("/r/ZZZZZZZZ/seen.gif").content.startswith(b"GIF89a")


def test_the_promise_of_a_page_from_the_cache_is_kept(shop, link):
    visitor(shop).get(link)
    friend = visitor(shop)
    assert friend.get(link).headers["X-Cache"] == "hit"
    friend.get(f"{link}seen.gif")
    assert "10% off one order" in text_of(friend.get("/en/catalogue/"))


def test_keeping_it_by_email_leads_to_a_page_of_ones_own(shop, link, landing):
    friend = visitor(shop)
    page = soup_of(friend.get(f"{link}?via=qr"))
    assert not page.select(".referrals-keep form, [name=csrfmiddlewaretoken]")
    path = str(page.select_one(".referrals-keep a")["href"])
    assert path == f"{link}keep/?via=qr"
    reply = friend.get(path)
    assert "private" in reply.headers["Cache-Control"] and soup_of(reply).select_one(
        "[name=csrfmiddlewaretoken]"
    )
    client = Client(headers=ENGLISH)
    client.cookies.load(friend.cookies)
    assert client.post(path, {"email": "robin@friends.example", "mail": "on"}).status_code == 302
    assert Lead.objects.get().claim == Claim.objects.get() and Visit.objects.get().channel == "qr"


# Where it cannot be


def base_with(inside: str, settings: Any, tmp_path: Any) -> None:
    text = "<html><head>{% block extrahead %}{% endblock %}</head><body>INSIDE{% block content %}{% endblock %}</body>"
    (tmp_path / "base_with.html").write_text(text.replace("INSIDE", inside))
    engine = settings.TEMPLATES[0]
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "BASE_TEMPLATE": "base_with.html"}


def test_a_page_with_a_token_of_a_form_is_each_visitors(shop, link, settings, tmp_path, caplog):
    base_with("<form method=post>{% csrf_token %}</form>", settings, tmp_path)
    friend = visitor(shop)
    reply = friend.get(link)
    assert "private" in reply.headers["Cache-Control"] and "Camille invites you" in text_of(reply)
    token = soup_of(reply).select_one("[name=csrfmiddlewaretoken]")
    assert token is not None and "csrftoken" in friend.cookies, "the form works"
    assert (
        not shop.stored
        and "CSRF token" in caplog.text
        and people.code_of(Advocate.objects.get()) not in caplog.text
    )


def test_what_other_middleware_put_on_the_request_is_not_there(shop, link, settings, tmp_path):
    names = ("secret_of_mine", "user.email", "META.HTTP_USER_AGENT", "COOKIES.mine")
    base_with(f"<p>{''.join(f'{{{{ request.{name} }}}}' for name in names)}</p>", settings, tmp_path)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.curious"]
    first = visitor(shop)
    first.cookies["mine"] = "x"
    reply = first.get(link)
    assert "public" in reply.headers["Cache-Control"] and "<p></p>" in reply.text


def test_an_empty_basket_takes_the_place_of_the_visitors(db, rf, django_assert_num_queries):
    request = rf.get("/")
    request.basket = "the visitor's"
    with django_assert_num_queries(0):
        bare: Any = nobody.for_nobody(request)
        assert bare.basket.pk is None and bare.basket.is_empty and bare.basket.num_items == 0
    assert request.basket == "the visitor's" and bare.strategy is bare.basket.strategy


def curious(get_response):
    """Middleware of a shop's own that knows its visitors, and leaves a notice and a cookie."""

    def answer(request):
        request.secret_of_mine = "you have 12 points"
        if hasattr(request, "_messages"):
            messages.info(request, "Only you read this")
        response = get_response(request)
        response.set_cookie("points", "12")
        return response

    return answer


def test_a_notice_that_waits_is_not_shown_to_everybody_nor_lost(shop, link, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.curious"]
    reply = visitor(shop).get(link)
    assert "Only you read this" not in text_of(reply) and "Set-Cookie" not in reply.headers
    assert not shop.violations


def test_a_page_of_another_type_counts_visits_itself(server, on, link, settings, caplog):
    shop = SharedCache(server)
    publish(landing_page=Site.objects.get(is_default_site=True).root_page)
    friend = visitor(shop)
    assert "private" in friend.get(link).headers["Cache-Control"] and "referral" in friend.cookies
    assert "cannot be kept" not in caplog.text, "nothing is wrong with it"


def test_a_layout_that_fails_without_a_visitor_costs_the_cache_only(shop, link, monkeypatch, caplog):
    real = nobody.for_nobody
    from wagtail_referrals.site import views

    monkeypatch.setattr(views, "for_nobody", lambda request: real(request) and 1 / 0)
    friend = visitor(shop)
    assert "Camille invites you" in text_of(friend.get(link)) and "referral" in friend.cookies


def test_off_by_default(terms, link, settings, server):
    settings.MIDDLEWARE = [FIRST, *settings.MIDDLEWARE]
    shop = SharedCache(server)
    friend = visitor(shop)
    reply = friend.get(link)
    assert "private" in reply.headers["Cache-Control"] and "referral" in friend.cookies
    assert "referrals-seen" not in reply.text and Visit.objects.count() == 1 and not shop.stored


def test_without_the_middleware_nothing_is_public(terms, link, settings, server):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": 300}
    shop = SharedCache(server)
    friend = visitor(shop)
    assert "private" in friend.get(link).headers["Cache-Control"] and "referral" in friend.cookies


def test_the_sites_own_cache_and_not_modified_answers_go_with_it(shop, link, settings):
    settings.MIDDLEWARE = [
        FIRST,
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        *settings.MIDDLEWARE[1:],
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    first = visitor(shop).get(link)
    assert first.headers["Cache-Control"] == "public, max-age=300" and "Expires" not in first.headers
    again = Visitor(shop.app, dict(ENGLISH)).get(link, **{"if-none-match": first.headers["ETag"]})
    assert again.status == 304 and "cookie" not in again.headers.get("Vary", "").lower()
    assert again.headers["Cache-Control"] == "public, max-age=300" and not again.cookies
    other = Visitor(shop.app, dict(ENGLISH), {"sessionid": "x"}).get(link)
    assert other.headers["Cache-Control"] == "public, max-age=300" and other.content == first.content


# The middleware by itself


def answered(
    response: HttpResponse, *, mark: bool = True, control: str = "", asynchronous: bool = False
) -> Any:
    request = RequestFactory().get("/")

    def view(request: HttpRequest) -> HttpResponse:
        if mark:
            mark_for_everybody(response)
            response.headers["Cache-Control"] += f", {control}" if control else ""
        return response

    async def later(request: HttpRequest) -> HttpResponse:
        return view(request)

    if asynchronous:
        return asyncio.run(SharedCacheMiddleware(later)(request))  # type: ignore[arg-type]
    return SharedCacheMiddleware(view)(request)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_marked_answer_loses_what_the_others_added(on, asynchronous):
    response = HttpResponse("x")
    response.set_cookie("a", "b")
    response.headers["Vary"] = "Cookie, Accept-Encoding, accept-language"
    done = answered(response, asynchronous=asynchronous)
    assert done.headers["Vary"] == "Accept-Encoding" and not done.cookies
    assert done.headers["Cache-Control"] == "public, max-age=300"


@pytest.mark.parametrize("control", ["private", "no-store", "max-age=0, no-cache"])
def test_a_private_answer_stays_as_it_is(on, control):
    response = HttpResponse("x", headers={"Vary": "Cookie"})
    response.set_cookie("a", "b")
    done = answered(response, control=control)
    assert control in done.headers["Cache-Control"] and "public" not in done.headers["Cache-Control"]
    assert done.headers["Vary"] == "Cookie" and done.cookies


def test_an_answer_without_a_mark_stays_as_it_is(on):
    response = HttpResponse("x", headers={"Vary": "Cookie"})
    response.set_cookie("a", "b")
    done = answered(response, mark=False)
    assert "Cache-Control" not in done.headers and done.headers["Vary"] == "Cookie" and done.cookies


# The system checks


@pytest.mark.parametrize(
    ("seconds", "place", "found"),
    [
        (300, 0, []),
        (0, None, []),
        (0, 3, []),
        (300, None, ["referrals.W011"]),
        (300, 1, ["referrals.E021"]),
    ],
)
def test_the_check_says_where_it_stands(seconds, place, found, settings):
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": seconds}
    middleware = list(settings.MIDDLEWARE)
    if place is not None:
        middleware.insert(place, FIRST)
    settings.MIDDLEWARE = middleware
    assert [each.id for each in checks.check_middleware()] == found


@pytest.mark.parametrize("value", ["300", None, -1, 1.5, True])
def test_the_check_says_that_it_is_no_number(value, settings, db, terms, link):
    switch_on(settings, value)
    assert "referrals.E020" in [each.id for each in checks.check_settings()]
    if value is not True:
        assert "private" in Client(headers=ENGLISH).get(link).headers["Cache-Control"]


# In a browser


@pytest.mark.parametrize("scripts", [True, False])
def test_a_friend_behind_the_cache(
    scripts, transactional_db, on, settings, alone, link, new_page, live_server, browser_problems
):
    publish()
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "SHARED_CACHE_SECONDS": 300}
    settings.MIDDLEWARE = [FIRST, "tests.site.test_browser.strict", *settings.MIDDLEWARE[1:]]
    cache = SharedCache(as_configured)
    serving = serve(cache)
    origin = next(serving)
    try:
        for number in (1, 2):
            page = new_page(base_url=origin, java_script_enabled=scripts)
            with page.expect_response("**/seen.gif*") as seen:
                answer = page.goto(f"{link}?via=sms")
            assert answer is not None and answer.headers["x-cache"] == ("miss" if number == 1 else "hit")
            assert answer.headers["content-security-policy"] == STRICT and seen.value.status == 200
            page.get_by_role("heading", name="Camille invites you").wait_for()
            assert page.locator(".referrals-seen").bounding_box()["width"] <= 1
            assert [each["name"] for each in page.context.cookies()] == ["referral"]
            page.get_by_role("link", name="To the shop").click()
            page.wait_for_url("**/en/catalogue/")
            assert Visit.objects.count() == number
            page.close()
    finally:
        serving.close()
    assert {visit.channel for visit in Visit.objects.all()} == {"sms"} and not cache.violations
