"""Which CMS page is drawn at the share link, in which language, and what the editor sees beforehand."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
from django.core.files.images import ImageFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.images import get_image_model
from wagtail.models import Locale, Page, PageViewRestriction, Site

from tests.site.conftest import BROWSER, publish
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.site.picture import draw_picture
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.usefixtures("alone")

FRENCH = {"user-agent": BROWSER, "accept-language": "fr"}


@pytest.fixture
def home(db) -> Page:
    return Site.objects.get(is_default_site=True).root_page


@pytest.fixture
def landing(home) -> LandingPage:
    page = LandingPage(
        title="Invitation",
        slug="invitation",
        headline="{name} has a present for you",
        introduction="<p>Come in: {gift}.</p>",
        action_text="Look around",
        steps=[{"type": "step", "value": {"heading": "First this", "text": "Then that."}}],
    )
    home.add_child(instance=page)
    page.save_revision().publish()
    return page


@pytest.fixture
def french(landing) -> LandingPage:
    locale, _created = Locale.objects.get_or_create(language_code="fr")
    if not landing.get_parent().has_translation(locale):
        landing.get_parent().copy_for_translation(locale)
    page = landing.copy_for_translation(locale)
    page.headline = "{name} vous offre un cadeau"
    page.save_revision().publish()
    return page


def get(link, **headers):
    return Client(headers=headers or {"user-agent": BROWSER, "accept-language": "en"}).get(link)


def text_of(response) -> str:
    return html.unescape(response.content.decode())


def test_the_sites_landing_page_speaks_the_editors_words(link, terms, landing):
    text = text_of(get(link))
    assert "Camille has a present for you" in text and "Come in: 10% off one order." in text
    assert "Look around" in text and "First this" in text and "Then that." in text
    assert "Have a look around" not in text


def test_a_name_cannot_write_html_into_the_editors_text(link, terms, landing, advocate):
    from wagtail_referrals import people
    from wagtail_referrals.people.models import Advocate

    landing.introduction = "<p>{name}</p>"
    landing.save_revision().publish()
    Advocate.objects.update(public_name="<i>x</i>")
    people.forget_code(advocate)
    assert b"<i>x" not in get(link).content


def test_a_headline_without_the_name_still_says_who_invites(link, terms, landing):
    landing.headline = "Breathe"
    landing.save_revision().publish()
    text = text_of(get(link))
    assert "<h1>Breathe</h1>" in text and "Camille invites you" in text.split("<h1>")[0].split("<article")[1]


def test_in_the_visitors_language(link, terms, landing, french):
    response = get(link, **FRENCH)
    assert "Camille vous offre un cadeau" in text_of(response) and 'lang="fr"' in text_of(response)
    assert "Camille has a present" in text_of(get(link))


def test_without_a_translation_the_general_page_speaks_the_visitors_language(link, terms, landing):
    text = text_of(get(link, **FRENCH))
    assert "has a present" not in text and 'lang="fr"' in text


def test_the_programs_own_page_wins(link, landing, home):
    own = LandingPage(title="Own", slug="own", headline="Only here, {name}")
    home.add_child(instance=own)
    own.save_revision().publish()
    publish(landing_page=Page.objects.get(pk=own.pk))
    assert "Only here, Camille" in text_of(get(link))


def test_a_page_of_another_type_can_be_the_programs_page(link, landing, home):
    publish(landing_page=Page.objects.get(pk=home.pk))
    response = get(link)
    assert response.status_code == 200 and "referral" in response.cookies


@pytest.mark.parametrize("hidden", ["draft", "restricted", "deleted"])
def test_a_page_that_the_public_may_not_see_is_not_shown(hidden, link, terms, landing):
    if hidden == "draft":
        landing.unpublish()
    elif hidden == "restricted":
        PageViewRestriction.objects.create(page=landing, restriction_type="login")
    else:
        landing.delete()
    response = get(link)
    assert response.status_code == 200 and "has a present" not in text_of(response)
    assert "Camille invites you" in text_of(response)


def test_a_visit_says_which_page_it_saw(link, terms, landing, french, home):
    get(link)
    get(link, **{"user-agent": BROWSER, "accept-language": "fr"})
    # Who is led on sees none.
    get(f"{link}?to=/")
    own = LandingPage(title="Yoga", slug="yoga", headline="Yoga for you")
    home.add_child(instance=own)
    publish(landing_page=Page.objects.get(pk=own.pk), precedence=1)
    get(link)
    visits = Visit.objects.order_by("pk").values_list("page", flat=True)
    assert list(visits) == [landing.pk, french.pk, None, own.pk]


def test_a_page_that_was_seen_can_be_deleted(link, terms, landing):
    get(link)
    seen = landing.pk
    landing.delete()
    assert Visit.objects.get().page_id == seen


def test_a_change_is_seen_at_once(link, terms, landing):
    get(link)
    landing.headline = "New words, {name}"
    landing.save_revision().publish()
    assert "New words, Camille" in text_of(get(link))
    landing.unpublish()
    assert "New words" not in text_of(get(link))


def test_with_a_cms_page_and_a_picture_a_share_link_still_costs_one_write(
    link, terms, landing, django_assert_num_queries, tmp_path, settings
):
    settings.MEDIA_ROOT = tmp_path
    path = tmp_path / "picture.png"
    path.write_bytes(draw_picture("Camille", ""))
    with path.open("rb") as opened:
        picture = get_image_model().objects.create(title="p", file=ImageFile(opened, name="p.png"))
    landing.picture = picture
    landing.save_revision().publish()
    assert "<img" in text_of(get(link))
    with django_assert_num_queries(1) as queries:
        assert "<img" in text_of(get(link))
    assert queries[0]["sql"].startswith("INSERT")


def test_at_its_own_address_it_shows_the_offer_without_a_name(terms, landing):
    response = get(landing.url)
    text = text_of(response)
    assert response.context["invitation"].kind == "general" and "Camille" not in text and "10% off" in text
    assert not Visit.objects.exists() and "referral" not in response.cookies


def test_at_its_own_address_it_remembers_who_invited(browser_client, link, terms, landing):
    browser_client.get(link)
    assert "Camille has a present for you" in text_of(browser_client.get(landing.url))
    Claim.objects.create(
        visit=Visit.objects.get(),
        advocate=Visit.objects.get().advocate,
        terms=terms,
        source="link",
        state=Claim.State.USED,
        created_at=timezone.now(),
        expires_at=timezone.now() + timedelta(days=1),
    )
    response = browser_client.get(landing.url)
    assert response.context["invitation"].kind == "used" and "has a present" not in text_of(response)
    assert "Your present" not in html.unescape(response.content.decode()).split("<article")[1]


@pytest.mark.parametrize("mode", ["friend", "returning", "used", "customer", "own", "closed"])
def test_the_preview_shows_each_visitor_and_counts_nothing(mode, terms, landing, admin_client):
    assert mode in dict(landing.preview_modes)
    request = landing.make_preview_request(preview_mode=mode)
    text = text_of(request)
    assert request.status_code == 200 and f'data-invitation="{mode}"' in text
    assert not Visit.objects.exists() and not request.cookies
    assert ("Camille" in text) == (mode != "closed")
    assert ("Not for cash." in text) == (mode in ("friend", "returning"))


def test_the_preview_works_before_any_program(landing):
    assert landing.make_preview_request(preview_mode="friend").status_code == 200
    assert landing.make_preview_request(preview_mode="nonsense").status_code == 200


def test_an_editor_can_write_and_publish_one(admin_client, home, link, terms):
    response = admin_client.post(
        reverse("wagtailadmin_pages:add", args=["wagtail_referrals", "landingpage", home.pk]),
        {
            "title": "Welcome",
            "slug": "welcome-friend",
            "headline": "Written here, {name}",
            "introduction": "null",
            "picture": "",
            "steps-count": "1",
            "steps-0-deleted": "",
            "steps-0-order": "0",
            "steps-0-type": "step",
            "steps-0-id": "",
            "steps-0-value-heading": "One",
            "steps-0-value-text": "",
            "action_text": "",
            **{f"{name}-count": "0" for name in ("body", "variants", "situations", "share_messages")},
            "action-publish": "1",
            "comments-TOTAL_FORMS": "0",
            "comments-INITIAL_FORMS": "0",
            "comments-MIN_NUM_FORMS": "0",
            "comments-MAX_NUM_FORMS": "",
        },
    )
    assert response.status_code == 302, response.context and response.context["form"].errors
    assert LandingPage.objects.get(slug="welcome-friend").live
    assert "Written here, Camille" in text_of(get(link))
