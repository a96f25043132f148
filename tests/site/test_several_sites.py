"""Several sites in one project: which program where, a link or code on the wrong one, and where mails lead."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from wagtail.models import Page, Site

from tests.site.conftest import BROWSER, publish
from wagtail_referrals import people, programs, rewards
from wagtail_referrals.messages import compose
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs.models import Audience, AudienceRule, Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.site.models import LandingPage
from wagtail_referrals.tracking.models import Claim, Visit


@pytest.fixture
def sites(db: None) -> dict[str, Site]:
    Site.objects.all().delete()
    home = Page.objects.filter(depth=2).first()
    made = {
        "shop": Site(hostname="shop.example", port=443, is_default_site=True, root_page=home),
        "boutique": Site(hostname="boutique.example", port=443, root_page=home),
    }
    for site in made.values():
        site.save()
    return made


def visitor(host: str) -> Client:
    return Client(HTTP_HOST=host, HTTP_USER_AGENT=BROWSER, HTTP_ACCEPT_LANGUAGE="en")


def words(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(response.content.decode())


def test_a_program_is_offered_on_its_site_only(sites, link):
    publish(site=sites["boutique"])
    assert "Your present: 10%" in words(visitor("boutique.example").get(link))
    assert Visit.objects.latest("pk").terms is not None
    here = words(visitor("shop.example").get(link))
    assert "Your present:" not in here
    # It counts as a visit, and promises nothing.
    assert Visit.objects.latest("pk").terms is None


def test_a_program_without_a_site_is_offered_on_all_and_on_hosts_that_wagtail_does_not_know(sites, link):
    publish()
    for host in ("shop.example", "boutique.example", "third.example"):
        assert "Your present: 10%" in words(visitor(host).get(link))


def test_a_host_that_wagtail_does_not_know_is_the_default_site(sites, link):
    publish(site=sites["shop"])
    assert "Your present: 10%" in words(visitor("third.example").get(link))


def test_a_link_on_the_wrong_site_leads_to_the_right_one(sites, link, django_assert_num_queries):
    publish(site=sites["boutique"])
    page = words(visitor("shop.example").get(link))
    assert "Your invitation is for another of our shops" in page
    assert "invites you to boutique.example" in page
    assert f'href="https://boutique.example{link}"' in page
    assert 'data-invitation="elsewhere"' in page


def test_looking_for_the_right_site_costs_no_query(sites, link, django_assert_num_queries):
    publish(site=sites["boutique"])
    visitor("shop.example").get(link)
    with django_assert_num_queries(0):
        assert programs.site_of_offer() == sites["boutique"].pk


def test_no_site_offers_anything(sites, link, terms):
    Program.objects.update(live=False)
    cache.clear()
    assert "This invitation has ended" in words(visitor("shop.example").get(link))


def test_who_may_not_offer_it_there_is_not_sent_there(sites, link):
    audience = Audience.objects.create(name="Members", live=True)
    AudienceRule.objects.create(audience=audience, fact="orders", options={"number": 99})
    publish(site=sites["boutique"], audience=audience)
    assert "This invitation has ended" in words(visitor("shop.example").get(link))


def test_a_blocked_advocates_link_leads_nowhere(sites, link, advocate):
    publish(site=sites["boutique"])
    advocate.state = "blocked"
    advocate.save()
    cache.clear()
    assert "This invitation has ended" in words(visitor("shop.example").get(link))


@pytest.mark.parametrize(("host", "outcome"), [("shop", "refused"), ("boutique", "accepted")])
def test_a_code_on_the_wrong_site_says_where_it_is_good(sites, advocate, host, outcome):
    publish(site=sites["boutique"])
    typed = rewards.typed_code(people.code_of(advocate), basket_reference="7", site_id=sites[host].pk)
    assert typed.outcome == outcome
    if outcome == "refused":
        assert typed.message == "This invitation is for boutique.example: it gives nothing here."
        assert not Claim.objects.exists()


def test_a_code_that_is_good_nowhere_says_so(sites, advocate):
    typed = rewards.typed_code(people.code_of(advocate), basket_reference="7", site_id=sites["shop"].pk)
    assert typed.message == "This invitation is not open any more."


def test_the_first_program_in_the_editors_order_wins_on_each_site(sites):
    boutique = publish(site=sites["boutique"], precedence=1)
    both = publish(precedence=2)
    publish(site=sites["shop"], precedence=3)

    def offered(name: str) -> int:
        offer = programs.pick_terms(site_id=sites[name].pk)
        assert offer is not None
        return offer.terms_id

    assert offered("boutique") == boutique.pk
    assert offered("shop") == both.pk


def test_the_link_has_the_host_on_which_it_is_read(sites, camille, advocate, terms):
    for host in ("shop.example", "boutique.example"):
        client = visitor(host)
        client.force_login(camille)
        response = client.get("/en/account/refer-a-friend/")
        assert f"http://{host}{people.share_path(people.code_of(advocate))}" in words(response)


@pytest.mark.parametrize(
    ("name", "root"), [(None, "https://shop.example"), ("boutique", "https://boutique.example")]
)
def test_mails_lead_to_the_site_of_the_program(sites, camille, advocate, make_user, name, root):
    terms = publish(site=sites[name] if name else None)
    claim = Claim.objects.create(
        advocate=advocate,
        terms=terms,
        source="link",
        created_at=terms.created_at,
        expires_at=terms.created_at,
    )
    referral = Referral.objects.create(
        terms=terms,
        program_key=terms.program_key,
        advocate=advocate,
        claim=claim,
        friend=make_user("lea"),
        created_at=terms.created_at,
    )
    message = Message(
        kind="reward_given",
        user=camille,
        referral=referral,
        language="en",
        data={"side": "advocate", "amount": "15.00", "currency": "EUR"},
    )
    assert f"{root}/en/account/refer-a-friend/" in compose(message, camille).text


def test_a_site_below_another_one_keeps_its_landing_page(sites, link):
    publish()
    home = sites["shop"].root_page
    inner = home.add_child(instance=Page(title="Boutique", slug="boutique", locale=home.locale))
    Site.objects.filter(pk=sites["boutique"].pk).update(root_page=inner)
    page = inner.add_child(instance=LandingPage(title="In", slug="in", headline="Come to the boutique"))
    page.save_revision().publish()
    assert "Come to the boutique" in words(visitor("boutique.example").get(link))
    assert "Come to the boutique" not in words(visitor("shop.example").get(link))


@pytest.mark.parametrize(("domain", "passes"), [(".shop.localhost", True), (None, False)])
def test_the_cookie_passes_between_the_hosts_of_one_domain(
    transactional_db, settings, live_server, new_page, link, domain, passes
):
    publish()
    settings.WAGTAIL_REFERRALS = {**settings.WAGTAIL_REFERRALS, "COOKIE_DOMAIN": domain}
    port = live_server.url.rpartition(":")[2]
    page = new_page(user_agent=BROWSER)
    assert page.goto(f"http://www.shop.localhost:{port}{link}").status == 200

    def cookies(host: str) -> set[str]:
        return {cookie["name"] for cookie in page.context.cookies(f"http://{host}:{port}/")}

    assert "referral" in cookies("www.shop.localhost")
    assert ("referral" in cookies("boutique.shop.localhost")) == passes
