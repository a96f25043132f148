"""What a referrer is shown is what their own friends will get."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, Group
from django.core.cache import cache
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.utils import timezone
from wagtail.models import Site

from tests.audiences import make_audience
from tests.site.conftest import BROWSER, publish
from wagtail_referrals import people, programs
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import ProgramRule
from wagtail_referrals.site.models import HubPage
from wagtail_referrals.tracking.models import Visit

MEMBERS, EVERYBODY = "€40.00 of referral credit", "€15.00 of referral credit"


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


@pytest.fixture
def members(db: None) -> Group:
    return Group.objects.create(name="Members")


@pytest.fixture
def offers(members: Group) -> tuple[Any, Any]:
    """40 € for members, before 15 € for everybody; the terms of both."""
    for_all = publish(precedence=20)
    audience = make_audience(("group", {"group": str(members.pk), "title": "Members"}))
    for_members = publish(precedence=10, audience=audience)
    rule = ProgramRule.objects.get(program=for_members.program, side="advocate")
    rule.amounts = {"EUR": "40.00"}
    rule.save()
    for_members = programs.publish_terms(for_members.program)
    programs.forget_open_terms()
    return for_members, for_all


@pytest.fixture
def lea(make_user: Any) -> Any:
    return make_user("lea")


@pytest.fixture
def member(camille: Any, members: Group) -> Any:
    camille.groups.add(members)
    return camille


def shown(text: str) -> list[str]:
    return [words for words in (MEMBERS, EVERYBODY) if words in text]


def test_the_account_page(offers: Any, member: Any, lea: Any, client: Client) -> None:
    for user, expected in ((member, MEMBERS), (lea, EVERYBODY)):
        client.force_login(user)
        people.advocate_for(user)
        Advocate.objects.update(name_confirmed_at=timezone.now())
        assert shown(text_of(client.get("/en/account/refer-a-friend/"))) == [expected]


def test_the_page_about_the_program(offers: Any, member: Any, lea: Any, client: Client) -> None:
    page = HubPage(title="Refer a friend", slug="refer")
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    assert shown(text_of(client.get(page.url))) == [EVERYBODY]
    for user, expected in ((member, MEMBERS), (lea, EVERYBODY)):
        client.force_login(user)
        assert shown(text_of(client.get(page.url))) == [expected]


def test_the_panel_after_an_order(offers: Any, member: Any, lea: Any) -> None:
    def panel(user: Any, email: str = "") -> str:
        request = RequestFactory().get("/en/checkout/thank-you/")
        request.user = user
        template = Template("{% load referrals %}{% referral_thank_you order_email=email %}")
        return html.unescape(template.render(Context({"request": request, "email": email})))

    assert shown(panel(member)) == [MEMBERS]
    assert shown(panel(lea)) == [EVERYBODY]
    assert shown(panel(AnonymousUser(), "guest@example.com")) == [EVERYBODY]


def test_the_link_brings_what_was_shown(
    offers: Any, member: Any, lea: Any, link: str, browser_client: Client
) -> None:
    for_members, for_all = offers
    other = people.share_path(people.code_of(people.advocate_for(lea)))
    browser_client.get(link)
    Client(headers={"user-agent": BROWSER}).get(other)
    assert list(Visit.objects.order_by("pk").values_list("terms", flat=True)) == [for_members.pk, for_all.pk]


def shown_kind(response: Any) -> str:
    kind: str = response.context["invitation"].kind
    return kind


def test_a_friend_who_comes_again_is_told_what_was_promised(
    offers: Any, member: Any, members: Group, link: str, browser_client: Client
) -> None:
    """Also after the referrer has left the audience."""
    for_members, for_all = offers
    browser_client.get(link)
    member.groups.remove(members)
    cache.clear()
    with time_machine.travel(timezone.now() + timedelta(days=3)):
        assert shown_kind(browser_client.get(link)) == "returning"
    assert list(Visit.objects.values_list("terms", flat=True)) == [for_members.pk] * 2
    Client(headers={"user-agent": BROWSER}).get(link)
    assert Visit.objects.latest("pk").terms == for_all, "a friend who comes now is another one"


def test_a_share_link_stays_one_write(
    offers: Any, member: Any, link: str, alone: None, django_assert_num_queries: Any
) -> None:
    Client(headers={"user-agent": BROWSER}).get(link)
    with django_assert_num_queries(1) as queries:
        Client(headers={"user-agent": BROWSER}).get(link)
    assert queries[0]["sql"].startswith("INSERT")
