"""What every page of the site needs: navigation, languages, and words in the reader's language."""

from typing import Any

from django import template
from django.apps import apps
from django.conf import settings
from django.urls import translate_url
from django.utils.translation import get_language
from oscar.core.loading import get_model
from wagtail.models import Locale, Page, PageViewRestriction, Site

from example_site.catalogue.models import translated
from example_site.seed.plans import MEMBERS

register = template.Library()


@register.filter
def in_language(text: Any) -> str:
    """A stored word (an order status, a kind of payment) in the active language."""
    return translated(str(text or ""))


@register.simple_tag(takes_context=True)
def studio_pages(context: dict[str, Any]) -> list[Page]:
    """The pages of the menu, in the active language."""
    request = context.get("request")
    site = Site.find_for_request(request) if request else Site.objects.filter(is_default_site=True).first()
    if site is None:
        return []
    root = site.root_page.get_translation_or_none(Locale.get_active()) or site.root_page
    return list(root.get_children().live().in_menu())


@register.simple_tag
def members_pages() -> list[Page]:
    """The pages that are for members only, in the active language."""
    restricted = PageViewRestriction.objects.filter(groups__name=MEMBERS).values("page")
    return list(Page.objects.live().filter(pk__in=restricted, locale=Locale.get_active()))


@register.simple_tag
def waits_for_account(order: Any) -> bool:
    """Has a guest bought something that is kept in an account?"""
    if order.user_id is not None or not apps.is_installed("oscar_integration.memberships"):
        return False
    from oscar_integration.memberships.models import Period

    return Period.objects.filter(order_number=order.number, membership__user=None).exists()


@register.simple_tag
def brought_by(order: Any) -> list[Any]:
    """The customer's memberships and passes that this order is a part of."""
    if order.user_id is None or not apps.is_installed("oscar_integration.memberships"):
        return []
    from oscar_integration.memberships.models import Membership

    found = Membership.objects.filter(user=order.user_id, periods__order_number=order.number)
    return list(found.select_related("plan").prefetch_related("plan__names").distinct().order_by("pk"))


@register.simple_tag
def shop_categories() -> list[Any]:
    """The top level of the catalogue."""
    return list(get_model("catalogue", "Category").objects.filter(depth=1, is_public=True))


@register.simple_tag(takes_context=True)
def language_links(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The same page in every language: code, name, address, and whether it is the active one."""
    request = context.get("request")
    page = context.get("page")
    addresses: dict[str, str] = {}
    if isinstance(page, Page) and page.pk:
        addresses = {
            each.locale.language_code: each.url
            for each in page.get_translations(inclusive=True).live().select_related("locale")
        }
    links = []
    for code, name in settings.LANGUAGES:
        address = addresses.get(code) or (translate_url(request.get_full_path(), code) if request else "/")
        links.append(
            {
                "code": code,
                "name": name,
                "url": address,
                "active": code == get_language(),
            }
        )
    return links
