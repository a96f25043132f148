"""What is proposed to be sent with the link, the ways to send it, and the address that counts and leads on."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation
from django.utils.html import escape
from wagtail.models import Locale, Site

import wagtail_referrals
from tests.site.conftest import BROWSER
from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people.models import Advocate, Code
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site import shares
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.site.sharing import WAYS, Sharing, sharing_of
from wagtail_referrals.tracking.models import Share, Visit

SHORT_SCRIPT = 6_000  # bytes, gzipped


@pytest.fixture
def landing_page(db):
    """A function that publishes a landing page with these messages: (channel, subject, message)."""

    def make(*messages, language="en"):
        page = LandingPage(title="Welcome", slug=f"welcome-{language}")
        page.locale = Locale.objects.get_or_create(language_code=language)[0]
        page.share_messages = [
            ("message", {"channel": channel, "subject": subject, "message": message})
            for channel, subject, message in messages
        ]
        Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
        page.save_revision().publish()
        return page

    return make


def sharing(advocate, *, language="en", **values):
    request = RequestFactory().get("/")
    offer = programs.pick_terms(site_id=tracking.site_id_for(request), user_id=advocate.user_id)
    with translation.override(language):
        return sharing_of(request, advocate, offer.data if offer else None, **values)


def proposed(found: Sharing, channel: str) -> str:
    return found.way(channel).text


def say(message, language="en"):
    program = Program.objects.get()
    program.texts.filter(language=language).update(share_message=message)
    return programs.publish_terms(program)


# --- the words -----------------------------------------------------------------------------------------------------


def test_without_an_editors_words_there_are_ours(advocate, terms):
    found = sharing(advocate)
    assert found.message == "I invite you. Your present: 10% off one order."
    assert found.title == "Camille invites you" and found.way("email").title == found.title
    assert proposed(found, "whatsapp") == found.message


def test_the_programs_message_comes_before_ours(advocate, terms):
    say("My yoga place, with {gift}. {name}")
    assert sharing(advocate).message == "My yoga place, with 10% off one order. Camille"


def test_the_landing_pages_messages_come_first_each_for_its_way(advocate, terms, landing_page):
    say("The program's")
    landing_page(("whatsapp", "", "Hey! {gift}"), ("email", "From {name}", "Dear friend"))
    found = sharing(advocate)
    assert proposed(found, "whatsapp") == "Hey! 10% off one order"
    assert (found.way("email").title, proposed(found, "email")) == ("From Camille", "Dear friend")
    assert proposed(found, "sms") == found.message == "The program's"
    assert found.way("sms").title == "Camille invites you"


def test_one_message_may_be_for_all_other_ways(advocate, terms, landing_page):
    say("The program's")
    landing_page(("", "", "For all"), ("sms", "", "Short"), ("share", "", "Sheet"))
    found = sharing(advocate)
    assert found.message == "For all" and proposed(found, "telegram") == "For all"
    assert proposed(found, "sms") == "Short" and found.share_text == "Sheet"


def test_who_has_the_page_at_hand_gives_it(advocate, terms, landing_page):
    page = landing_page(("", "", "For all"))
    assert sharing(advocate, page=page).message == "For all"


def test_each_language_has_its_own_words(advocate, terms, landing_page):
    landing_page(("", "", "English words"))
    say("Mes mots", "fr")
    assert sharing(advocate, language="fr").message == "Mes mots"
    landing_page(("", "", "La page"), language="fr")
    assert sharing(advocate, language="fr").message == "La page"
    assert sharing(advocate).message == "English words"


def test_a_programs_page_in_another_language_says_nothing(advocate, terms, landing_page):
    program = Program.objects.get()
    program.landing_page = landing_page(("", "", "English words"))
    program.save()
    programs.publish_terms(program)
    say("Mes mots", "fr")
    assert sharing(advocate, language="fr").message == "Mes mots"
    assert sharing(advocate).message == "English words"


def test_words_about_a_present_are_left_out_where_there_is_none(advocate, landing_page):
    landing_page(("", "", "You get {gift}"), ("sms", "", "Come!"))
    found = sharing(advocate)
    assert found.message == "I invite you." and proposed(found, "sms") == "Come!"


def test_a_name_that_looks_like_a_place_in_the_text_stays_a_name(advocate, terms):
    say("{name} says: {gift}")
    Advocate.objects.update(public_name="{link}{title}")
    advocate.refresh_from_db()
    found = sharing(advocate)
    assert found.message == "{link}{title} says: 10% off one order"
    assert "%7Blink%7D%7Btitle%7D" in found.way("whatsapp").url


def test_it_costs_the_query_of_the_code_alone(advocate, terms, landing_page, django_assert_num_queries):
    landing_page(("", "", "For all"))
    sharing(advocate)
    with django_assert_num_queries(1):
        sharing(advocate)


# --- the ways ------------------------------------------------------------------------------------------------------

TEXT = "Été: 100 % & more?\nDeux lignes+#"
LINK = "https://shop.example/r/ABCDEFGH/?via={}"


@pytest.fixture
def invented():
    return Sharing(code="ABCDEFGH", url="https://shop.example/r/ABCDEFGH/", title="Zoé & Co", message=TEXT)


@pytest.mark.parametrize("channel", WAYS)
def test_each_way_names_itself_in_the_link_and_takes_all_signs(channel, invented):
    url = invented.way(channel).url
    parts = urlsplit(url)
    link = LINK.format(channel)
    # Both kinds of telephones understand "sms:?&body=".
    values = parse_qs(parts.query.removeprefix("&"), strict_parsing=True)
    sent = {
        "whatsapp": {"text": [f"{TEXT}\n{link}"]},
        "sms": {"body": [f"{TEXT}\n{link}"]},
        "email": {"subject": ["Zoé & Co"], "body": [TEXT.replace("\n", "\r\n") + f"\r\n\r\n{link}"]},
        "telegram": {"url": [link], "text": [TEXT]},
        "x": {"url": [link], "text": [TEXT]},
        "facebook": {"u": [link]},
        "linkedin": {"url": [link]},
        "messenger": {"link": [link]},
    }
    assert values == sent[channel]
    # Mail programs and telephones take "+" for a plus.
    assert "+" not in url and " " not in url
    assert tracking.channel_from(channel) == channel


def test_programs_on_the_device_open_in_the_same_tab(invented):
    assert {way.channel for way in invented.ways if not way.opens_page} == {"email", "sms", "messenger"}


def test_without_a_message_there_is_the_link_alone():
    bare = Sharing(code="A", url="https://shop.example/r/A/", title="T", message="")
    assert unquote(bare.way("whatsapp").url) == "https://wa.me/?text=https://shop.example/r/A/?via=whatsapp"
    assert unquote(bare.way("email").url).endswith("&body=https://shop.example/r/A/?via=email")


def test_a_link_leads_on_to_a_product(advocate, terms, browser_client):
    found = sharing(advocate, to="/en/catalogue/mat_1/?size=L&colour=blue")
    assert found.copied.endswith("/?via=copy&to=/en/catalogue/mat_1/%3Fsize%3DL%26colour%3Dblue")
    response = browser_client.get(found.copied.removeprefix("http://testserver"))
    assert response.status_code == 302 and response.url == "/en/catalogue/mat_1/?size=L&colour=blue"
    assert Visit.objects.get().channel == "copy"


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example/", "/r/ABCDEFGH/", "javascript:1"])
def test_a_link_leads_nowhere_else(advocate, terms, to):
    assert sharing(advocate, to=to).copied.endswith("/?via=copy")


def test_the_panel_of_a_preview_counts_nothing(invented):
    text = render_to_string("wagtail_referrals/includes/share.html", {"sharing": invented})
    assert "/shared/" not in text and f'href="{escape(invented.way("whatsapp").url)}"' in text


def test_two_panels_on_a_page_have_ids_of_their_own(invented):
    text = "".join(
        render_to_string("wagtail_referrals/includes/share.html", {"sharing": invented, "share_id": share_id})
        for share_id in ("one", "two")
    )
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) == 6


def test_the_script_is_short():
    script = Path(wagtail_referrals.__file__).parent / "static/wagtail_referrals/referrals.js"
    assert len(gzip.compress(script.read_bytes())) < SHORT_SCRIPT


def test_the_panel_needs_nothing_inline(invented):
    text = render_to_string("wagtail_referrals/includes/share.html", {"sharing": invented})
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", text)


# --- our address that counts ---------------------------------------------------------------------------------------


@pytest.fixture
def counted(advocate, terms):
    return lambda channel="whatsapp", **values: sharing(advocate, **values).counted(channel)


def test_a_click_without_the_script_counts_and_leads_on(counted, advocate, terms, browser_client):
    response = browser_client.get(counted())
    assert response.status_code == 302
    assert response["Location"] == sharing(advocate).way("whatsapp").url
    share = Share.objects.get()
    assert (share.advocate, share.channel, share.terms) == (advocate, "whatsapp", terms)
    assert response["Cache-Control"].count("no-store") == 1 and response["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in response


@pytest.mark.parametrize("channel", WAYS)
def test_every_way_is_led_to(channel, counted, advocate, browser_client):
    assert browser_client.get(counted(channel))["Location"] == sharing(advocate).way(channel).url
    assert Share.objects.get().channel == channel


def test_a_long_message_in_greek_is_led_to_as_well(counted, advocate, browser_client, terms, landing_page):
    landing_page(("whatsapp", "", "Γεια " * 100))
    response = browser_client.get(counted())
    assert response.status_code == 302 and len(response["Location"]) > 2048


def test_it_leads_on_in_the_language_of_the_page(counted, browser_client):
    with translation.override("fr"):
        address = counted(language="fr")
    assert address.startswith("/fr/account/refer-a-friend/shared/whatsapp/")
    assert "Votre cadeau" in unquote(browser_client.get(address)["Location"])
    assert Share.objects.get().language == "fr"


def test_the_product_is_kept(counted, browser_client):
    location = browser_client.get(counted(to="/en/catalogue/"))["Location"]
    assert "via=whatsapp&to=/en/catalogue/" in unquote(location)


def test_the_script_counts_by_a_post_which_says_nothing(counted, browser_client):
    for channel in ("whatsapp", "copy", "share"):
        response = browser_client.post(counted(channel))
        assert (response.status_code, response.content) == (204, b"")
    assert list(Share.objects.order_by("pk").values_list("channel", flat=True)) == [
        "whatsapp",
        "copy",
        "share",
    ]


def test_the_count_needs_no_token_of_a_form(counted):
    strict = Client(enforce_csrf_checks=True, headers={"user-agent": BROWSER})
    assert strict.post(counted()).status_code == 204 and Share.objects.count() == 1


def test_a_guest_counts_and_nobodys_address_is_in_it(terms):
    guest = people.advocate_for_guest("nina@example.com")
    found = sharing(guest)
    assert found.is_guest
    response = Client(headers={"user-agent": BROWSER}).get(found.counted("telegram"))
    assert response["Location"].startswith("https://t.me/share/url?")
    assert Share.objects.get().advocate == guest


@pytest.mark.parametrize(
    "headers",
    [{"user-agent": "Googlebot/2.1"}, {"user-agent": BROWSER, "sec-purpose": "prefetch;prerender"}],
)
def test_who_only_looks_is_led_on_and_not_counted(headers, counted):
    client = Client(headers=headers)
    assert client.get(counted()).status_code == 302 and client.post(counted()).status_code == 204
    assert not Share.objects.exists()


def test_a_look_at_the_head_counts_nothing(counted, browser_client):
    assert browser_client.head(counted()).status_code == 302 and not Share.objects.exists()


def test_a_double_click_counts_once(counted, browser_client):
    for _ in range(2):
        assert browser_client.get(counted()).status_code == 302
        assert browser_client.post(counted()).status_code == 204
    assert Share.objects.count() == 1


@pytest.mark.parametrize("token", ["", "of=", "of=1", "of=1:forged", "of=%00", "of=" + "9" * 3000])
def test_a_forged_value_counts_nothing_and_leads_to_the_account(token, counted, browser_client):
    path = urlsplit(counted()).path
    response = browser_client.get(f"{path}?{token}")
    assert response.status_code == 302 and response.url == "/en/account/refer-a-friend/"
    assert browser_client.post(f"{path}?{token}").status_code == 204
    assert not Share.objects.exists()


def test_what_is_no_way_is_not_found(counted, browser_client):
    address = counted().replace("whatsapp", "pigeon")
    assert browser_client.get(address).status_code == browser_client.post(address).status_code == 404
    assert browser_client.put(counted()).status_code == 405


@pytest.mark.parametrize("channel", ["copy", "share"])
def test_what_leads_nowhere_is_only_counted(channel, counted, browser_client):
    assert browser_client.get(counted(channel)).status_code == 204
    assert Share.objects.get().channel == channel


def test_who_has_been_stopped_is_led_on_and_not_counted(counted, advocate, browser_client):
    address = counted()
    Advocate.objects.update(state=Advocate.State.PAUSED)
    assert browser_client.get(address)["Location"].startswith("https://wa.me/")
    assert not Share.objects.exists()


def test_it_leads_on_where_counting_fails(counted, advocate, browser_client, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    address = counted()
    monkeypatch.setattr(shares.tracking, "record_share", fail)
    assert browser_client.get(address)["Location"].startswith("https://wa.me/")
    assert browser_client.post(address).status_code == 204
    assert f"A share of referrer {advocate.pk} could not be counted" in caplog.text
    assert address.partition("of=")[2] not in caplog.text and people.code_of(advocate) not in caplog.text


def test_what_it_costs(counted, browser_client, django_assert_num_queries):
    address = counted()
    browser_client.get(address)
    Share.objects.all().delete()
    # The advocate; two savepoints round the lock, the day's shares and the row; the code.
    with django_assert_num_queries(9):
        browser_client.get(address)


def test_who_was_deleted_has_no_link_again(client, advocate, camille, link):
    """A page that somebody kept open still names them, and so does an invitation that was kept by e-mail."""
    counted = sharing(advocate).counted("whatsapp")
    camille.delete()
    assert "/r/" in unquote(client.get(counted).headers["Location"])
    assert not Code.objects.filter(is_active=True).exists() and Code.objects.count() == 1
    assert people.find_code(people.code_of(Advocate.objects.get())) is None
