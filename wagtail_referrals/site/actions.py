"""Where the button of a landing page leads: the shop, opening an account, a page, and what an app registers."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any, Final

from django import forms
from django.apps import apps
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import HasOptions, Registry
from wagtail_referrals.referrals import get_shop, shop_register_url
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

logger = logging.getLogger(__name__)

# What an editor chose may move or close: how long its address is believed.
CACHE_SECONDS: Final = 60


class ActionTarget(HasOptions):
    """A place to which the button leads. Subclass it and register an instance in ``action_targets``.

    ``label`` is what the editor chooses. Options, as which product, are what has to be said about it: see
    ``HasOptions``.
    """

    # On the button where the editor wrote nothing.
    action_text: Any = _("To the shop")
    # The address is the same for every visitor of a site in one language: it is kept for a minute.
    is_public = False

    def url(self, request: HttpRequest, options: dict[str, Any]) -> str:
        """An address of this site for this visitor; "" where there is none (any more): the shop takes its place.

        Raises what it likes: the shop takes its place too.
        """
        raise NotImplementedError


class ToShop(ActionTarget):
    """Where the shop says that a friend begins."""

    key = "shop"
    label = _("the shop")

    def url(self, request: HttpRequest, options: dict[str, Any]) -> str:
        return get_shop().start_url(request)


class ToSignUp(ActionTarget):
    """Opening an account. Who has one, and who visits a shop that has none, goes to the shop."""

    key = "sign_up"
    label = _("opening an account")
    action_text = _("Open an account")

    def url(self, request: HttpRequest, options: dict[str, Any]) -> str:
        return register_url(request)


class ToPage(ActionTarget):
    """A page of the site, in the visitor's language where it is translated."""

    key = "page"
    label = _("a page")
    action_text = _("Have a look")
    is_public = True

    def option_fields(self) -> dict[str, forms.Field]:
        from wagtail.admin.widgets import AdminPageChooser

        pages = apps.get_model(BASE_PAGE_MODEL_NAME)._default_manager.all()
        return {
            "action_page": forms.ModelChoiceField(pages, label=_("Page"), widget=AdminPageChooser()),
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        page = values.get("action_page")
        return {} if page is None else {"action_page": page.pk}

    def url(self, request: HttpRequest, options: dict[str, Any]) -> str:
        pages = apps.get_model(BASE_PAGE_MODEL_NAME)._default_manager
        page = pages.filter(pk=options.get("action_page"), live=True).first()
        return page.localized.get_url(request) or "" if page is not None else ""


action_targets: Final[Registry[ActionTarget]] = Registry("call to action")
for _target in (ToShop(), ToSignUp(), ToPage()):
    action_targets.register(_target)


def action_target_choices() -> list[tuple[str, object]]:
    """For model fields: migrations name this function, so that a registered target needs no migration."""
    return action_targets.choices()


def target_of(page: Any) -> ActionTarget:
    """What the button of this page leads to; the shop, where nobody chose and where an app is gone."""
    key = getattr(page, "action_target", "")
    return action_targets.get(key if key in action_targets else ToShop.key)


def action_url(request: HttpRequest, page: Any) -> str:
    """Where the button of this page leads for this visitor; "" where only the shop is left."""
    target = target_of(page)
    if target.key == ToShop.key:
        return ""
    options = getattr(page, "action_options", None) or {}
    try:
        if not target.is_public:
            return target.url(request, options)
        asked = json.dumps([target.key, options, get_language(), request.get_host()], sort_keys=True)
        key = f"wagtail_referrals.action.{hashlib.sha256(asked.encode()).hexdigest()[:32]}"
        found: str | None = cache.get(key)
        if found is None:
            found = target.url(request, options)
            cache.set(key, found, CACHE_SECONDS)
        return found
    except Exception:
        logger.exception("The button of page %s leads to the shop", getattr(page, "pk", None))
        return ""


def shop_start(request: HttpRequest) -> str:
    """Where a friend begins to shop; the site's root where the shop's answer fails."""
    try:
        return get_shop().start_url(request)
    except Exception:
        logger.exception("The shop did not say where a friend begins")
        return "/"


def register_url(request: HttpRequest) -> str:
    """Where the visitor opens an account; "" for who has one, and where the shop does not say.

    An editor's preview shows what somebody without an account sees.
    """
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated and not getattr(request, "is_preview", False)
    return "" if known else shop_registers(request)


def shop_registers(request: HttpRequest) -> str:
    """Where an account is opened; "" also where the shop's answer fails."""
    try:
        return shop_register_url(request)
    except Exception:
        logger.exception("The shop did not say where an account is opened")
        return ""
