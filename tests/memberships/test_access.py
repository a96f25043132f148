"""What only members see: in views, templates and pages of Wagtail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser, Group
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from oscar.test import factories
from wagtail.models import Page, PageViewRestriction

from example_site import urls
from oscar_integration.memberships.access import (
    has_membership,
    membership_required,
    memberships_of,
)
from oscar_integration.memberships.models import Membership, Plan
from oscar_integration.memberships.settle import settle
from oscar_integration.memberships.uses import record_use
from tests.memberships.rows import NOW, give, make_plan, make_user

pytestmark = pytest.mark.django_db

MONTH_LATER = NOW + timedelta(days=31)


@pytest.fixture
def camille() -> Any:
    return make_user("camille@example.com", "Camille")


def asking(user: Any, path: str = "/en/studio/?day=2") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = user
    return request


def test_open_from_the_first_moment_to_before_the_last(camille: Any, django_assert_num_queries: Any) -> None:
    membership = give(camille, make_plan())
    assert membership.ends_at is not None
    moments = [
        (NOW - timedelta(seconds=1), False),
        (NOW, True),
        (membership.ends_at - timedelta(seconds=1), True),
        (membership.ends_at, False),
    ]
    for moment, is_open in moments:
        assert has_membership(camille, now=moment) is is_open, moment
        assert (memberships_of(camille, now=moment) == [membership]) is is_open
    with django_assert_num_queries(1):
        assert has_membership(camille, "yearly", "monthly", now=NOW)
    with django_assert_num_queries(1):
        assert [found.plan.slug for found in memberships_of(camille, now=NOW)] == ["monthly"]
    assert not has_membership(camille, "yearly", now=NOW)
    assert not has_membership(make_user("lea@example.com"), now=NOW)
    with django_assert_num_queries(0):
        assert not has_membership(None)
        assert not has_membership(AnonymousUser())
        assert memberships_of(AnonymousUser()) == []


@pytest.mark.parametrize("state", Membership.State.values)
@pytest.mark.parametrize("uses_left", [None, 0, 1])
def test_the_condition_is_the_one_of_the_model(camille: Any, state: str, uses_left: int | None) -> None:
    membership = give(camille, make_plan())
    reason = "ran_out" if state == "ended" else ""
    Membership.objects.update(state=state, ended_reason=reason, uses_left=uses_left)
    membership.refresh_from_db()
    assert membership.ends_at is not None
    for days in (-1, 0, 1, 31, 32):
        for moment in (NOW + timedelta(days=days), membership.ends_at + timedelta(days=days)):
            found = Membership.objects.filter(Membership.open_at(moment)).exists()
            assert found is membership.is_open(moment), moment
    Membership.objects.update(starts_at=None, access_until=None)
    membership.refresh_from_db()
    assert Membership.objects.filter(Membership.open_at(NOW)).exists() is membership.is_open(NOW) is False


# In templates


@contextmanager
def reads(number: int) -> Iterator[None]:
    """Not counting the savepoints around them."""
    with CaptureQueriesContext(connection) as captured:
        yield
    found = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert len(found) == number, found


def rendered(text: str, **context: Any) -> str:
    return Template("{% load membership_tags %}" + text).render(Context(context))


MEMBER = '{% has_membership "monthly" as member %}{{ member|yesno:"in,out" }}'


@time_machine.travel(NOW, tick=False)
def test_a_template_asks_once_for_the_whole_page(camille: Any) -> None:
    give(camille, make_plan("monthly", "Monthly membership"))
    give(camille, make_plan("pottery", "Pottery"))
    request = asking(camille)
    with reads(1):
        assert rendered(MEMBER * 2 + '{% has_membership "x" %}{% has_membership %}', request=request) == (
            "ininFalseTrue"
        )
    names = "{% open_memberships as mine %}{% for one in mine %}{{ one.plan.title }}, {% endfor %}"
    with reads(1):
        assert rendered(names * 2, request=request) == "Monthly membership, Pottery, " * 2
    # Who logs in while the page is made is somebody else.
    request.user = make_user("lea@example.com")
    assert rendered(MEMBER + names, request=request) == "out"


def test_a_template_without_a_customer_stays_whole(
    camille: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    both = MEMBER + "{% open_memberships as mine %}{{ mine }}"
    with reads(0):
        assert rendered(both) == "out[]"
        assert rendered(both, request=None) == "out[]"
        assert rendered(both, request=RequestFactory().get("/")) == "out[]"
        assert rendered(both, request=asking(AnonymousUser())) == "out[]"

    def broken(*args: Any) -> None:
        raise RuntimeError("the database is gone")

    monkeypatch.setattr("oscar_integration.memberships.access.memberships_of", broken)
    assert rendered(both, request=asking(camille)) == "out[]"
    assert "could not be read" in caplog.text
    assert "camille" not in caplog.text


# In views


def pottery(request: HttpRequest, number: int = 1) -> HttpResponse:
    """The room."""
    return HttpResponse(f"Room {number}")


class PotteryView(View):
    @method_decorator(membership_required("monthly"))
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("A room")


@time_machine.travel(NOW, tick=False)
def test_a_view_for_members(camille: Any) -> None:
    view = membership_required("monthly")(pottery)
    assert (view.__name__, view.__doc__) == ("pottery", "The room.")
    give(camille, make_plan())
    with reads(1):
        answer = view(asking(camille), number=3)
    assert (answer.status_code, answer.content) == (200, b"Room 3")
    assert "Cookie" in answer["Vary"]
    assert PotteryView.as_view()(asking(camille)).status_code == 200
    assert membership_required()(pottery)(asking(camille)).status_code == 200
    with time_machine.travel(MONTH_LATER, tick=False):
        assert view(asking(camille)).status_code == 403


def test_who_is_not_logged_in_comes_back_after_the_login_page(settings: Any) -> None:
    make_plan()
    settings.LOGIN_URL = "/login/"
    for request in (asking(AnonymousUser()), RequestFactory().get("/en/studio/?day=2")):
        for view in (membership_required("monthly")(pottery), PotteryView.as_view()):
            answer = view(request)
            assert answer.status_code == 302
            assert answer["Location"] == "/login/?next=/en/studio/%3Fday%3D2"
            assert "no-store" in answer["Cache-Control"] and "Cookie" in answer["Vary"]


# This module as the shop's URLs: one page for each way to ask.
urlpatterns = [
    *urls.urlpatterns,
    path("one/", membership_required("monthly")(pottery)),
    path("two/", membership_required("friends", "monthly")(pottery)),
    path("any/", membership_required()(pottery)),
    path("gone/", membership_required("gone")(pottery)),
]


@pytest.mark.urls(__name__)
@time_machine.travel(NOW, tick=False)
def test_who_has_none_reads_which_one_and_where_to_buy_it(camille: Any) -> None:
    product = factories.create_product(title="A month at the studio")
    make_plan("monthly", "Monthly membership", product=product)
    make_plan("friends", "Friend's pass", gift_only=True)
    client = Client()
    client.force_login(camille)

    def page(url: str) -> str:
        answer = client.get(url)
        assert answer.status_code == 403
        assert "no-store" in answer["Cache-Control"] and "Cookie" in answer["Vary"]
        return " ".join(answer.content.decode().split())

    text = page("/two/")
    assert "one of these memberships" in text
    assert text.index("Friend&#x27;s pass") < text.index("Monthly membership")
    assert text.count(f'<a href="{product.get_absolute_url()}">') == 1
    assert text.count("It is given as a present, and cannot be bought.") == 1
    assert "customers with this membership" in page("/one/")
    # Without a name: what can be bought.
    text = page("/any/")
    assert "Monthly membership" in text and "Friend" not in text
    # A plan that was deleted, or is called otherwise now.
    assert "customers with a membership" in page("/gone/")
    # What the shop does not show it does not sell.
    product.is_public = False
    product.save()
    assert "It cannot be bought at the moment." in page("/one/")


# Pages of Wagtail


@pytest.fixture
def members_page() -> Page:
    """A page whose privacy is given to the group of the plan."""
    plan = make_plan(group=Group.objects.create(name="Members"), uses=2)
    home = Page.objects.get(depth=2, sites_rooted_here__is_default_site=True)
    page = home.add_child(instance=home.specific_class(title="Recipes", slug="recipes"))
    restriction = PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.GROUPS)
    restriction.groups.add(plan.group)
    return page


def test_a_page_of_wagtail_opens_for_members_only(camille: Any, members_page: Page) -> None:
    url = members_page.get_url()
    visitor, member, other = Client(), Client(), Client()
    member.force_login(camille)
    other.force_login(make_user("lea@example.com"))

    def opened() -> list[int]:
        return [client.get(url).status_code for client in (visitor, member, other)]

    plan = Plan.objects.get()
    with time_machine.travel(NOW, tick=False):
        assert opened() == [302, 302, 302]
        membership = give(camille, plan)
        assert opened() == [302, 200, 302]
        record_use(membership, key="1", how="list", by=None, now=NOW)
        assert opened() == [302, 200, 302]
        # The last use ends it at once.
        record_use(membership, key="2", how="list", by=None, now=NOW)
        assert opened() == [302, 302, 302]
        membership = give(camille, plan, now=NOW)
        assert opened() == [302, 200, 302]
    with time_machine.travel(MONTH_LATER, tick=False):
        settle(membership.pk)
        assert opened() == [302, 302, 302]
