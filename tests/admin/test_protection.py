"""What protects the admin besides rights: forms of other sites, frames, people who have left, choosers, the API."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.apps import apps
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse
from wagtail.models import Page

from example_site.pages.models import ContentPage
from tests.admin.addresses import APPS, Address, make_addresses
from tests.admin.conftest import signed_in, staff
from tests.admin.rows import make_user
from tests.admin.test_every_url import answer, answers, every_right, text_of, turned_away, walk
from wagtail_referrals.site.models import LandingPage

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

# The editor shows these in a frame of its own.
IN_A_FRAME: Final = ("preview_on_add", "preview_on_edit", "revisions_view", "workflow_preview")


@pytest.fixture
def addresses(db: None) -> list[Address]:
    return make_addresses()


def everything() -> list[str]:
    return sorted({codename for right in every_right() for codename in right.split()})


def test_no_form_of_another_site_is_taken(addresses: list[Address]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user("admin@example.com", "Alix", is_superuser=True, is_staff=True))
    taken = [address.name for address in addresses if answer(client, "post", address.path).status_code != 403]
    assert taken == []


def test_no_page_stands_in_the_frame_of_another_site(addresses: list[Address], admin: Client) -> None:
    pages = 0
    for address in addresses:
        framed = address.name.split(":")[-1] in IN_A_FRAME
        for method in ("get", "post"):
            response = answer(admin, method, address.path)
            if response.status_code == 302:
                # It shows nothing.
                continue
            pages += 1
            allowed = response.get("X-Frame-Options")
            assert allowed in (("DENY", "SAMEORIGIN") if framed else ("DENY",)), (
                address.name,
                method,
                allowed,
            )
    assert pages > 100


def test_who_has_left_is_signed_out_at_once(addresses: list[Address]) -> None:
    user = staff("staff@example.com", *everything())
    client = signed_in(user)
    assert client.get(reverse("wagtail_referrals_referrals:index")).status_code == 200
    user.is_active = False
    user.save()
    open_still = [
        f"{address}: {asked}"
        for address in addresses
        for asked, response in answers(client, address)
        if response.status_code != 302 or "/login/" not in response["Location"]
    ]
    assert open_still == []


def test_a_right_that_was_taken_away_is_gone_at_once(addresses: list[Address]) -> None:
    user = staff("staff@example.com", *everything())
    client = signed_in(user)
    assert client.get(reverse("wagtail_referrals_referrals:index")).status_code == 200
    group = user.groups.get()
    group.permissions.set(group.permissions.filter(codename="access_admin"))
    assert walk(client, addresses, ()) == []
    # Without a group not even the admin opens.
    user.groups.clear()
    open_still = [
        address.name for address in addresses if not turned_away(answer(client, "get", address.path))
    ]
    assert open_still == []


# Choosers


def namespaces() -> set[str]:
    found = set()

    def walk_resolver(resolver: Any) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                found.add(pattern.namespace or "")
                walk_resolver(pattern)

    walk_resolver(get_resolver())
    return found


def test_nothing_of_ours_has_a_chooser_of_wagtails() -> None:
    """It is open to every editor, whatever they may see."""
    models = {(model._meta.app_label, model._meta.model_name) for model in apps.get_models()}
    ours = {f"wagtailsnippetchoosers_{label}_{model}" for label, model in models if label in APPS}
    assert ours & namespaces() == set()
    assert any("chooser" in namespace for namespace in namespaces())


# Previews


def test_a_page_is_previewed_by_who_may_edit_it(admin: Client, outsider: Client) -> None:
    page = Page.objects.get(depth=2).add_child(instance=LandingPage(title="Camille’s page", slug="camilles"))
    paths = [
        reverse("wagtailadmin_pages:edit", args=[page.pk]),
        reverse("wagtailadmin_pages:preview_on_edit", args=[page.pk]),
        reverse("wagtailadmin_pages:view_draft", args=[page.pk]),
    ]
    for path_ in paths:
        assert answer(admin, "get", path_).status_code == 200
        assert turned_away(answer(outsider, "get", path_))
        assert "Camille’s page" not in text_of(answer(outsider, "get", path_))


# The API of Wagtail


def test_no_model_of_ours_has_fields_in_the_api() -> None:
    """A snippet is in Wagtail's API once it names fields for it, and a page shows what it names."""
    named = {
        model.__name__
        for model in apps.get_models()
        if model._meta.app_label in APPS and getattr(model, "api_fields", None)
    }
    # Wagtail names those of a form's questions, which stand on the page.
    assert named == {"FeedbackQuestion"}


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.urls("tests.admin.api_urls")
def test_the_api_tells_of_our_pages_what_it_tells_of_any_page(version: str) -> None:
    home = Page.objects.get(depth=2)
    plain = home.add_child(instance=ContentPage(title="Plain", slug="plain"))
    page = home.add_child(instance=LandingPage(title="Come in", slug="come-in", headline="Camille’s words"))
    told = [Client().get(f"/api/{version}/pages/{pk}/").json() for pk in (plain.pk, page.pk)]
    assert told[1]["title"] == "Come in"
    assert set(told[1]) <= set(told[0])
    assert set(told[1]["meta"]) <= set(told[0]["meta"])
    # Nor what is no page.
    for address in ("programs", "snippets", "referrals", "wagtail_referrals.Program"):
        assert Client().get(f"/api/{version}/{address}/", follow=True).status_code == 404
