"""The share icon, the banner of an invitation, the panel after an order."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from wagtail_referrals import people, tracking
from wagtail_referrals.people.models import Advocate
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

    monkeypatch.setattr("wagtail_referrals.templatetags.referrals.saved_invitation", fail)
    monkeypatch.setattr("wagtail_referrals.templatetags.referrals.programs.pick_terms", fail)
    assert render("{% referral_banner %}", visit=visit) == ""
    assert render("{% referral_thank_you order_email='a@example.com' %}") == ""
    assert caplog.text.count("could not be shown") == 2 and "a@example.com" not in caplog.text


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
