"""Which CMS page is drawn at the share link: the program's, else the site's, in the visitor's language."""

from __future__ import annotations

import logging
from typing import Any, Final

from django.apps import apps
from django.core.cache import cache
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.utils import translation
from wagtail.models import Locale, Site
from wagtail.signals import page_published, page_slug_changed, page_unpublished, post_page_move

from wagtail_referrals.site.invitation import Invitation
from wagtail_referrals.site.layout import layout_context
from wagtail_referrals.site.models import LandingPageMixin
from wagtail_referrals.site.nobody import everybody_context
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

logger = logging.getLogger(__name__)

GENERATION_KEY: Final = "wagtail_referrals.landing"
CACHE_SECONDS: Final = 60


def find_landing_page(*, site_id: int | None, page_id: int | None, language: str) -> Any:
    """The page, or ``None`` where our general template has to do.

    Cached whole, so that a share link reads nothing: a published change is seen at once by this process, and within a
    minute by others.
    """
    key = f"{GENERATION_KEY}.{cache.get(GENERATION_KEY, 0)}.{site_id}.{page_id}.{language}"
    found = cache.get(key)
    if found is None:
        page = _programs_page(page_id, language) or _sites_page(site_id, language)
        if page is not None:
            # So that they are in the cache with the page.
            pictures = ("picture", "share_picture", "variant_pictures")
            _together = page.locale, *(getattr(page, name, None) for name in pictures)
        found = page if page is not None else False
        try:
            cache.set(key, found, CACHE_SECONDS)
        except Exception:
            logger.warning("Page %s cannot be cached", page.pk if page is not None else None, exc_info=True)
    return found or None


def draw_landing_page(request: HttpRequest, invitation: Invitation, page: Any) -> HttpResponse:
    """The invitation on this page, else on our general one. Rendered, as the language is another one afterwards."""
    request.referral_invitation = invitation  # type: ignore[attr-defined]
    if page is None:
        context = {
            **layout_context(),
            **invitation.context(request),
            **everybody_context(request, invitation.code),
        }
        return TemplateResponse(request, "wagtail_referrals/landing_page.html", context).render()
    with translation.override(page.locale.language_code):
        response: HttpResponse = page.serve(request)
        if isinstance(response, SimpleTemplateResponse):
            response.render()
    return response


def _languages(language: str) -> list[str]:
    """ "fr-ca" is served by "fr" too."""
    return list(dict.fromkeys([language, language.split("-")[0]]))


def _programs_page(page_id: int | None, language: str) -> Any:
    """The page that the program names, translated where there is a translation. Never one that only some may see."""
    if page_id is None:
        return None
    pages: Any = apps.get_model(BASE_PAGE_MODEL_NAME)._default_manager
    page = pages.filter(pk=page_id).select_related("locale").first()
    if page is None:
        return None
    translations = pages.filter(
        translation_key=page.translation_key, locale__language_code__in=_languages(language)
    )
    for candidate in (*translations.live().public().select_related("locale"), page):
        if candidate.live and not candidate.get_view_restrictions().exists():
            return candidate.specific
    return None


def _sites_page(site_id: int | None, language: str) -> Any:
    """The first landing page of the site in this language."""
    site = Site.objects.filter(pk=site_id).select_related("root_page").first()
    if site is None:
        return None
    own = pages_of_site(site)
    for code in _languages(language):
        locale = Locale.objects.filter(language_code=code).first()
        for model in apps.get_models():
            if locale is not None and issubclass(model, LandingPageMixin):
                pages: Any = model._default_manager
                page = pages.live().public().filter(own, locale=locale).order_by("path").first()
                if page is not None:
                    return page
    return None


def pages_of_site(site: Site) -> Q:
    """The pages below the first page of a site and its translations, without those of sites that stand below it."""
    paths = _first_pages(site)
    own = Q()
    for path in paths:
        own |= Q(path__startswith=path)
    inner = Site.objects.exclude(root_page__path__in=paths).select_related("root_page")
    for path in (path for other in inner for path in _first_pages(other)):
        if any(path.startswith(outer) for outer in paths):
            own &= ~Q(path__startswith=path)
    return own


def _first_pages(site: Site) -> list[str]:
    return [site.root_page.path, *site.root_page.get_translations().values_list("path", flat=True)]


def _forget_pages(**kwargs: Any) -> None:
    cache.add(GENERATION_KEY, 0, None)
    try:
        cache.incr(GENERATION_KEY)
    except ValueError:
        # It went between the two calls, and everything that was kept under it too.
        pass


for _signal in (page_published, page_unpublished, page_slug_changed, post_page_move):
    _signal.connect(_forget_pages, dispatch_uid="wagtail_referrals.landing")
