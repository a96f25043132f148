"""The share icon, the banner of an invitation, the panel after an order."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from wagtail.models import Site

from tests.site.test_blocks import bring, draw, queries_of, thank
from wagtail_referrals import people, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.site import panels
from wagtail_referrals.tracking.models import Claim, Visit


@pytest.fixture
def visit(advocate, terms):
    return Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())


def render(tag, *, visit=None, user=None, **context):
    request = RequestFactory().get("/en/catalogue/")
    request.user = user or AnonymousUser()
    if visit is not None:
        request.COOKIES["referral"] = tracking.token_for(visit)
    template = Template("{% load referrals %}" + tag)
    return html.unescape(template.render(Context({"request": request, **context}))).strip()


def test_the_icon_leads_to_the_account_and_costs_nothing(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        text = render("{% referral_share_icon %}")
    assert 'href="/en/account/refer-a-friend/"' in text and 'aria-label="Refer a friend"' in text


def test_no_banner_and_no_query_for_who_followed_no_link(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert render("{% referral_banner %}") == ""


def test_the_banner_says_who_invites_to_what(visit):
    text = render("{% referral_banner %}", visit=visit)
    assert "Camille invites you" in text and "10% off one order" in text


@pytest.mark.parametrize("state", ["used", "lapsed", "replaced"])
def test_no_banner_for_an_invitation_that_is_over(state, visit):
    claim, _created = tracking.create_claim(visit=visit, source="link")
    assert render("{% referral_banner %}", visit=visit)
    Claim.objects.filter(pk=claim.pk).update(state=state)
    assert render("{% referral_banner %}", visit=visit) == ""


def test_no_banner_after_the_days_to_order(visit):
    with time_machine.travel(visit.created_at + timedelta(days=31)):
        assert render("{% referral_banner %}", visit=visit) == ""


def test_no_banner_for_ones_own_link(visit, camille):
    assert render("{% referral_banner %}", visit=visit, user=camille) == ""


def test_no_banner_on_the_landing_page_which_says_it_itself(link, terms, browser_client):
    assert "referrals-banner" not in browser_client.get(link).content.decode()
    assert "referrals-banner" in browser_client.get("/en/catalogue/").content.decode()


def test_no_banner_of_a_blocked_referrer(visit):
    Advocate.objects.update(state=Advocate.State.BLOCKED)
    assert render("{% referral_banner %}", visit=visit) == ""


def test_tags_work_where_there_is_no_request(db):
    template = Template(
        "{% load referrals %}{% referral_banner %}{% referral_thank_you order_email='a@example.com' %}"
    )
    assert template.render(Context()).strip() == ""


def test_what_fails_is_left_out(visit, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr("wagtail_referrals.site.panels.saved_invitation", fail)
    monkeypatch.setattr("wagtail_referrals.templatetags.referrals.programs.pick_terms", fail)
    assert render("{% referral_banner %}", visit=visit) == ""
    assert render("{% referral_thank_you order_email='a@example.com' %}") == ""
    assert caplog.text.count("could not be shown") == 2 and "a@example.com" not in caplog.text


ALL = [
    "referral_share",
    "referral_product_share",
    "referral_how_it_works",
    "referral_progress",
    "referral_leaderboard",
    "referral_wall",
    "referral_balance",
    "referral_faq",
    "referral_terms",
]


@pytest.mark.parametrize("tag", ALL)
def test_each_tag_shows_what_its_block_shows(tag, terms, camille, advocate):
    thank(bring(terms, "Noor", 2))
    text = render(f"{{% {tag} %}}", user=camille)
    if tag == "referral_product_share":
        assert "Recommend it to a friend" in text
    else:
        assert " ".join(text.split()) == draw(tag, camille)
    # Nowhere else, and nothing where no program is open.
    assert Template(f"{{% load referrals %}}{{% {tag} %}}").render(Context()).strip() == ""
    terms.program.delete()
    cache.clear()
    assert render(f"{{% {tag} %}}") == "" or tag == "referral_wall"


@pytest.mark.parametrize("tag", ALL)
def test_each_tag_leaves_out_what_fails(tag, terms, camille, monkeypatch, caplog):
    for name in ("share", "steps", "progress", "leaderboard", "wall", "balance", "faq", "terms"):
        monkeypatch.setattr(panels, f"{name}_panel", lambda *args, **kwargs: 1 / 0)
    assert render(f"{{% {tag} %}}", user=camille) == "" and "could not be shown" in caplog.text


@pytest.mark.parametrize("tag", ALL)
def test_each_tag_costs_a_stranger_nothing_but_what_is_told_of_everybody(tag, terms):
    render(f"{{% {tag} %}}")
    found = queries_of(lambda: render(f"{{% {tag} %}}"))
    assert len(found) == (tag in ("referral_leaderboard", "referral_wall"))


def test_tags_take_the_words_of_the_template(terms, camille, advocate):
    text = render(
        '{% referral_share heading="Two by two" text="As in the ark." shows_offer=False %}', user=camille
    )
    assert "Two by two" in text and "As in the ark." in text and "Your friend gets" not in text
    bring(terms, "Noor", 2)
    text = render('{% referral_leaderboard period="ever" program=key %}', key=str(terms.program_key))
    assert "Noor" in text and "Since the beginning" in text
    assert "Place your order" in render('{% referral_how_it_works reader="friend" %}')


def test_a_link_to_a_product_leads_a_friend_to_its_page(terms, camille, advocate, link):
    assert f"{link}?via=copy&to=/en/catalogue/" in render("{% referral_product_share %}", user=camille)
    assert "&to=/en/catalogue/mat_1/" in render(
        '{% referral_product_share url="/en/catalogue/mat_1/" %}', user=camille
    )
    assert "&to=" not in render('{% referral_product_share url="https://evil.example/" %}', user=camille)
    assert "Get your link" in render("{% referral_product_share %}")


MAIL = "{% referral_mail_link user as refer %}{{ refer.url }} {{ refer.share_url }} {{ refer.gift }} {{ refer.reward }}"


def test_an_e_mail_leads_to_refer_a_friend_with_ones_own_link(terms, camille, advocate, link):
    root = Site.objects.get(is_default_site=True).root_url
    template = Template("{% load referrals %}" + MAIL)
    assert template.render(Context({"user": camille})) == (
        f"{root}/en/account/refer-a-friend/ {root}{link} 10% off one order €15.00 of referral credit"
    )
    Advocate.objects.update(name_confirmed_at=None)
    assert f"{root}{link}" not in template.render(Context({"user": camille}))
    plain = Template("{% load referrals %}{% referral_mail_link user %}")
    assert plain.render(Context({"user": camille})) == f"{root}/en/account/refer-a-friend/"


def test_an_e_mail_invites_nobody_who_may_not_refer(terms, camille, make_user, monkeypatch, caplog):
    plain = Template("{% load referrals %}{% referral_mail_link user %}")
    assert plain.render(Context({"user": AnonymousUser()})) == plain.render(Context({"user": None})) == ""
    assert plain.render(Context({"user": make_user("lea")})) != "" and not Advocate.objects.exists()
    people.advocate_for(camille)
    Advocate.objects.update(state=Advocate.State.BLOCKED)
    assert plain.render(Context({"user": camille})) == ""
    monkeypatch.setattr(panels.programs, "pick_terms", lambda **kwargs: 1 / 0)
    assert plain.render(Context({"user": camille})) == "" and "could not be made" in caplog.text


THANK_YOU = "{% referral_thank_you order_email=email %}"


def test_a_guest_gets_a_code_after_the_order(terms):
    text = render(THANK_YOU, email="Nina@Example.com")
    guest = Advocate.objects.get()
    assert guest.user is None and guest.email_hash == people.email_key("nina@example.com")
    assert people.share_path(people.code_of(guest)) in text
    assert "until you open an account with the e-mail address of this order" in text
    assert "nina" not in text.lower()


def test_a_guest_who_comes_back_keeps_the_code(terms):
    first = render(THANK_YOU, email="nina@example.com")
    assert render(THANK_YOU, email="Nina@Example.com") == first
    # A variant may be somebody else's, and what waits belongs to the very address.
    assert render(THANK_YOU, email="ni.na+x@example.com") != first


def test_a_customer_gets_their_link_once_they_have_seen_their_name(terms, camille):
    text = render(THANK_YOU, user=camille, email="camille@example.com")
    assert "<referral-share" not in text and "/en/account/refer-a-friend/" in text
    Advocate.objects.update(name_confirmed_at=timezone.now())
    text = render(THANK_YOU, user=camille, email="camille@example.com")
    assert people.code_of(Advocate.objects.get()) in text and "open an account" not in text


def test_nothing_without_a_program_or_an_address(db, terms):
    assert render(THANK_YOU, email="") == "" and not Advocate.objects.exists()
    terms.program.delete()
    assert render(THANK_YOU, email="nina@example.com") == ""
