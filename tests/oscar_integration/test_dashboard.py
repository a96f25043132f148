"""Ways from Oscar's dashboard to the referrals: shown to who may see them there, and to nobody else."""

from __future__ import annotations

import copy
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oscar.core.loading import get_class, get_model

from oscar_integration import dashboard
from oscar_integration.dashboard import OrderPanelMixin, extend_navigation, extend_order_page
from tests.admin.rows import make_advocate, make_purchase, make_referral, make_reward
from tests.oscar_integration.shopping import create_order, fill_basket
from wagtail_referrals.referrals.models import AttributionRequest, Referral

OURS = ("view_referral", "view_attributionrequest", "view_reward", "review_referral", "view_summary")
BASE = '{% extends "oscar/dashboard/layout.html" %}'
TEMPLATES = {
    "Oscar's own": "{% extends 'oscar/dashboard/orders/order_detail.html' %}",
    "one block": f"{BASE}{{% block dashboard_content %}}<i id='order'></i>{{% endblock %}}",
    "two blocks": f"{BASE}{{% block dashboard_content %}}<i id='order'></i>"
    "{% block additional_order_information %}{% endblock %}<i id='end'></i>{% endblock %}",
}


@pytest.fixture
def order(mat: Any) -> Any:
    return create_order(fill_basket(mat), user=None, guest_email="nina@example.com")


@pytest.fixture
def referral(terms: Any, order: Any) -> Referral:
    referral = make_referral(
        terms, make_advocate("adele@example.com", "Adèle"), state=Referral.State.WAITING_PERIOD, reason="hold"
    )
    make_purchase(referral, order.number)
    make_reward(referral, "15.00")
    return referral


@pytest.fixture
def staff(make_customer: Any) -> Any:
    """Somebody who works in Oscar's dashboard, with these permissions besides."""

    def make(*codenames: str, admin: bool = True) -> Client:
        user = make_customer("packer@example.com", is_staff=True)
        granted = Permission.objects.filter(
            codename__in=["view_order", *codenames, *(["access_admin"] if admin else [])]
        )
        user.user_permissions.add(*granted)
        client = Client()
        client.force_login(user)
        return client

    return make


def look(client: Client, order: Any) -> BeautifulSoup:
    response = client.get(reverse("dashboard:order-detail", args=[order.number]))
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


def ways(page: BeautifulSoup) -> list[str]:
    return [str(link["href"]) for link in page.select(".dropdown-item") if "/referrals/" in str(link["href"])]


def test_the_page_of_an_order_tells_its_referral(staff: Any, order: Any, referral: Referral) -> None:
    (panel,) = look(staff(*OURS), order).select("#order-referral")
    text = panel.get_text(" ", strip=True)
    assert "Adèle" in text
    assert referral.terms.data["name"] in text
    assert "Waiting period" in text
    assert "€15.00" in text
    (link,) = panel.select("a")
    assert link["href"] == reverse("wagtail_referrals_referrals:inspect", args=[referral.pk])


def test_who_may_not_see_rewards_reads_no_amounts(staff: Any, order: Any, referral: Referral) -> None:
    (panel,) = look(staff("view_referral"), order).select("#order-referral")
    assert "€15.00" not in panel.get_text()


def test_no_link_into_an_admin_that_is_closed(staff: Any, order: Any, referral: Referral) -> None:
    page = look(staff(*OURS, admin=False), order)
    (panel,) = page.select("#order-referral")
    assert not panel.select("a")
    assert not ways(page)


def test_who_may_see_no_referrals_finds_the_page_as_it_was(
    staff: Any, order: Any, referral: Referral
) -> None:
    page = look(staff(), order)
    assert "Adèle" not in page.get_text()
    assert not page.select("#order-referral")
    assert not ways(page)
    (navigation,) = page.select("#bottom_nav_bar")
    assert "Referrals" not in navigation.get_text()


def test_a_partner_reads_no_names_and_opens_no_order_of_others(
    make_customer: Any, order: Any, referral: Referral
) -> None:
    """Who sells in the shop has a dashboard of their own orders, and is nobody's staff."""
    sells, other = make_customer("sells@example.com"), make_customer("other@example.com")
    order.lines.get().partner.users.add(sells)
    for user in (sells, other):
        user.user_permissions.add(Permission.objects.get(codename="dashboard_access"))
    get_model("partner", "Partner").objects.create(name="Another").users.add(other)
    client = Client()
    client.force_login(sells)
    page = look(client, order)
    assert not page.select("#order-referral, #order-referral-requests")
    assert "Adèle" not in page.get_text()
    assert not ways(page)
    for method in ("get", "post"):
        # Not even with a right to see referrals.
        for codename in ("", "view_referral"):
            other.user_permissions.add(*Permission.objects.filter(codename=codename))
            client = Client()
            client.force_login(other)
            response = getattr(client, method)(reverse("dashboard:order-detail", args=[order.number]))
            assert response.status_code == 404
            assert "Adèle" not in response.content.decode()


def test_an_order_without_a_referral(staff: Any, order: Any) -> None:
    assert not look(staff(*OURS), order).select("#order-referral, #order-referral-requests")


def test_a_request_about_the_order(staff: Any, order: Any) -> None:
    asked = AttributionRequest.objects.create(
        kind=AttributionRequest.Kind.REPORTED,
        advocate=make_advocate("adele@example.com"),
        reference=order.number,
        created_at=timezone.now(),
    )
    page = look(staff("view_attributionrequest"), order)
    (panel,) = page.select("#order-referral-requests")
    (link,) = panel.select("a")
    assert link["href"] == reverse("wagtail_referrals_requests:inspect", args=[asked.pk])
    assert "Reported by the referrer" in panel.get_text()
    assert not page.select("#order-referral")


@pytest.mark.parametrize("shop", TEMPLATES)
def test_it_is_there_once_whatever_template_the_shop_has(
    shop: str, staff: Any, order: Any, referral: Referral, settings: Any, tmp_path: Any
) -> None:
    path = tmp_path / "oscar/dashboard/orders/order_detail.html"
    path.parent.mkdir(parents=True)
    path.write_text(TEMPLATES[shop])
    engines = copy.deepcopy(django_settings.TEMPLATES)
    engines[0]["DIRS"] = [tmp_path, *engines[0]["DIRS"]]
    settings.TEMPLATES = engines
    (panel,) = look(staff(*OURS), order).select("#order-referral")
    if shop == "two blocks":
        assert panel.find_next(id="end")


def test_bad_luck_leaves_the_page_as_it_was(
    staff: Any, order: Any, referral: Referral, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    client = staff(*OURS)

    def fail(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(dashboard, "order_panel", fail)
    with caplog.at_level(logging.ERROR, logger="oscar_integration"):
        assert not look(client, order).select("#order-referral")
    assert "without its referral" in caplog.text


def test_it_costs_few_queries(
    staff: Any, order: Any, referral: Referral, django_assert_max_num_queries: Any
) -> None:
    user = SimpleNamespace(has_perm=lambda permission: True)
    with django_assert_max_num_queries(3):
        dashboard.order_panel(order.number, user)


def test_the_navigation_leads_to_what_one_may_see(staff: Any, order: Any) -> None:
    page = look(staff("view_referral", "view_summary"), order)
    assert ways(page) == [
        reverse("wagtail_referrals_referrals:index"),
        reverse("wagtail_referrals_summary"),
    ]


def test_a_navigation_that_leads_to_us_already_is_left_alone() -> None:
    own = [
        {"label": "Ours", "children": [{"label": "Programs", "url_name": "wagtail_referrals_programs:list"}]}
    ]
    settings = SimpleNamespace(OSCAR_DASHBOARD_NAVIGATION=own)
    extend_navigation(settings)
    assert settings.OSCAR_DASHBOARD_NAVIGATION is own
    settings = SimpleNamespace(
        OSCAR_DASHBOARD_NAVIGATION=[{"label": "Orders", "url_name": "dashboard:order-list"}]
    )
    extend_navigation(settings)
    extend_navigation(settings)
    assert [item["label"] for item in settings.OSCAR_DASHBOARD_NAVIGATION] == ["Orders", "Referrals"]


def test_the_shops_own_view_is_extended_once() -> None:
    view = type("OwnView", (get_class("dashboard.orders.views", "OrderDetailView"),), {})
    config = SimpleNamespace(order_detail_view=view)
    extend_order_page(config)
    extended = config.order_detail_view
    assert issubclass(extended, OrderPanelMixin) and issubclass(extended, view)
    extend_order_page(config)
    assert config.order_detail_view is extended
    # A shop without the dashboard.
    extend_order_page(None)
    extend_navigation(SimpleNamespace())
