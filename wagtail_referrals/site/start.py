"""What a shop needs on its first day, made where it is missing: a program as a draft, and its pages in each language.

Nothing that is there is touched, so it may be done again after a site or a language came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.urls import Resolver404, resolve
from django.utils.text import slugify
from django.utils.translation import gettext, override
from wagtail.coreutils import get_content_languages
from wagtail.log_actions import log
from wagtail.models import Locale, Site

from wagtail_referrals.kinds import objection_to, reward_kinds
from wagtail_referrals.programs import presets
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site.landing import pages_of_site
from wagtail_referrals.site.models import HubPage, HubPageMixin, LandingPage, LandingPageMixin
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page

# Ready-made programs in the order in which they are tried: the first whose rewards the shop can give now.
FIRST_CHOICES: Final = ("give_percent_get_credit", "credit_for_both", "empty")
# What Wagtail's first migration calls the site, before anybody has said what it is called.
NAMELESS: Final = "localhost"


@dataclass(frozen=True)
class Part:
    """One thing that a shop needs: the program of a site, or one of its pages in a language.

    ``what`` is "program", "hub" or "landing". ``found`` is the row; ``None`` where it could not be made: ``problem``
    says why, in words. A page may be there and have a problem too, of which its address says nothing.
    """

    what: str
    site: Site
    language: str = ""
    found: Any = None
    is_new: bool = False
    problem: str = ""


def name_site(address: str) -> Site:
    """Call the default site by its address, "https://shop.example": links in mails lead there.

    Raises ``ValidationError`` for what is no address, and where another site has it already.
    """
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or port == -1:
        raise ValidationError(
            gettext("“%(address)s” is no address like https://shop.example.") % {"address": address}
        )
    site = Site.objects.filter(is_default_site=True).first()
    if site is None:
        raise ValidationError(gettext("Wagtail has no default site yet: add one in Settings > Sites."))
    site.hostname = parts.hostname
    site.port = port or (443 if parts.scheme == "https" else 80)
    site.full_clean(exclude=["root_page"])
    site.save()
    return site


def languages() -> list[str]:
    """The languages that pages are made in: all of the content's, or the default one where pages have no languages."""
    if not getattr(settings, "WAGTAIL_I18N_ENABLED", False):
        return [Locale.get_default().language_code]
    return list(get_content_languages())


def start(*, sites: Collection[Site], publish: bool = False) -> Iterator[Part]:
    """Make what is missing on these sites, and say of each part whether it was there.

    Programs are drafts always; pages are, unless ``publish``. Each site is one transaction.
    """
    several = Site.objects.count() > 1
    for site in sites:
        with transaction.atomic():
            parts = [_program(site, several), *_pages(site, publish)]
        yield from parts


def _program(site: Site, several: bool) -> Part:
    there = Program.objects.filter(Q(site=site) | Q(site=None), expired=False).first()
    if there is not None:
        return Part("program", site, found=there)
    with override(_language_of(site)):
        program = next(
            program
            for program in (presets.get(key).build() for key in FIRST_CHOICES)
            if all(_may_be_given(rule.kind) for rule in program.rules.all())
        )
        program.name = program.name or gettext("Refer a friend")
    if several:
        program.site = site
        program.name = f"{program.name} ({site.hostname})"[:100]
    program.live = False
    program.save()
    log(instance=program, action="wagtail.create")
    program.save_revision()
    return Part("program", site, found=program, is_new=True)


def _may_be_given(kind: str) -> bool:
    objection = objection_to(reward_kinds.get(kind))
    return objection is None or not objection.forbids


def _language_of(site: Site) -> str:
    return str(site.root_page.locale.language_code)


def _pages(site: Site, publish: bool) -> Iterator[Part]:
    keys: dict[str, Any] = {}
    first = _language_of(site)
    # The site's own language first: the others are its translations.
    for language in sorted(languages(), key=lambda code: code != first):
        home, problem = _home(site, language)
        for what, model, mixin in (
            ("hub", HubPage, HubPageMixin),
            ("landing", LandingPage, LandingPageMixin),
        ):
            if home is None:
                yield Part(what, site, language, problem=problem)
                continue
            page = _page_below(home, mixin, pages_of_site(site))
            is_new = page is None
            if page is None:
                if not model.can_create_at(home):
                    refusal = gettext("The page “%(title)s” allows no such page below it.") % {
                        "title": home.title
                    }
                    yield Part(what, site, language, problem=refusal)
                    continue
                page = _add_page(model, what, home, language, keys.get(what), publish)
            keys.setdefault(what, page.translation_key)
            yield Part(what, site, language, page, is_new, _way_to(page))


def _home(site: Site, language: str) -> tuple[Page | None, str]:
    """The page below which the site's pages of this language stand; ``None`` and why not."""
    locale = Locale.objects.filter(language_code=language).first() or Locale.objects.create(
        language_code=language
    )
    home = site.root_page
    if home.locale_id != locale.pk:
        translated = home.get_translation_or_none(locale)
        # Wagtail's own first page shows nothing that would have to be translated, and nothing to visitors.
        if (
            translated is None
            and home.depth > 1
            and home.specific_class is apps.get_model(BASE_PAGE_MODEL_NAME)
        ):
            translated = home.copy_for_translation(locale, copy_parents=True, alias=True)
        home = translated
    if home is None:
        return None, gettext(
            "“%(title)s”, the first page of the site, has no translation: add it in Wagtail, and run this again."
        ) % {"title": site.root_page.title}
    return home.specific, ""


def _page_below(home: Page, mixin: type, own: Q) -> Page | None:
    for model in apps.get_models():
        if issubclass(model, mixin):
            pages: Any = model._default_manager
            found: Page | None = (
                pages.descendant_of(home, inclusive=True).filter(own).order_by("path").first()
            )
            if found is not None:
                return found
    return None


def _add_page(
    model: type[Page], what: str, home: Page, language: str, translation_key: Any, publish: bool
) -> Page:
    with override(language):
        title = gettext("Refer a friend") if what == "hub" else gettext("Your invitation")
    page = model(
        title=title,
        slug=_free_slug(home, slugify(title) or what),
        locale=home.locale,
        live=False,
    )
    if hasattr(page, "show_in_menus"):
        # Whoever makes the menus decides about them.
        page.show_in_menus = False
    if translation_key is not None:
        page.translation_key = translation_key
    home.add_child(instance=page)
    log(instance=page, action="wagtail.create")
    revision = page.save_revision()
    if publish:
        revision.publish()
        page.refresh_from_db()
    return page


def _free_slug(home: Page, wanted: str) -> str:
    taken = set(home.get_children().values_list("slug", flat=True))
    number, slug = 1, wanted
    while slug in taken:
        number += 1
        slug = f"{wanted}-{number}"
    return slug


def _way_to(page: Page) -> str:
    """What stands in the way of the page's address; "" for nothing."""
    parts = page.get_url_parts()
    path = parts[2] if parts else None
    if not path:
        return gettext(
            'Pages of Wagtail have no addresses in this project: add path("", include("wagtail.urls")) at the end of '
            "the addresses."
        )
    try:
        with override(page.locale.language_code):
            name = resolve(path).url_name
    except Resolver404:
        name = ""
    if name != "wagtail_serve":
        return gettext("At its address, %(path)s, something else answers.") % {"path": path}
    return ""
