"""Ways from the customer's account to our pages: tabs in its menu, on top of whatever templates the shop has."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.http import HttpRequest
from django.template import Template
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.generic.base import TemplateResponseMixin

from oscar_integration.checkout import extend
from wagtail_referrals import credit, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Referral

if TYPE_CHECKING:
    _View = TemplateResponseMixin
else:
    _View = object

logger = logging.getLogger("oscar_integration")

TEMPLATE: Final = "oscar_integration/customer/account_page.html"
# In the template's context: the page as the shop draws it.
PARENT: Final = "referral_parent_template"


@dataclass(frozen=True)
class Tab:
    """A page of ours in the menu of the account.

    ``name`` is what the page's context calls ``active_tab``. ``is_shown`` is asked, on every page of the account,
    whether there is something for the customer who is logged in: one or two queries at most.
    """

    name: str
    url_name: str
    label: str | Promise
    is_shown: Callable[[HttpRequest], bool]


_tabs: list[Tab] = []


def register_tab(tab: Tab) -> None:
    """Called from ``AppConfig.ready()``; the order of registration is that of the menu."""
    _tabs.append(tab)


def has_referrals(request: HttpRequest) -> bool:
    """Whether "Refer a friend" has something for the customer who is logged in.

    No query of its own while a program is open to them, at most three otherwise.
    """
    user: Any = request.user
    if programs.pick_terms(site_id=tracking.site_id_for(request), user_id=user.pk) is not None:
        return True
    # What was promised before stays, and so does the way to it; who was invited decides there who reads their name.
    return (
        Advocate.objects.filter(user_id=user.pk).exists()
        or bool(credit.accounts_of(user))
        or Referral.objects.filter(friend_id=user.pk).exists()
    )


register_tab(Tab("referrals", "referrals:account", _("Refer a friend"), has_referrals))


def tabs_for(request: HttpRequest, active_tab: str = "") -> list[Tab]:
    """The tabs with something for the customer who is logged in, and that of the page they are on; asked once.

    Where asking fails there are none: the shop's page is shown as it was.
    """
    if not request.user.is_authenticated:
        return []
    known: list[Tab] | None = getattr(request, "_referral_tabs", None)
    if known is None:
        try:
            # What the database refuses must not take the shop's own transaction with it.
            with transaction.atomic():
                known = [tab for tab in _tabs if tab.name == active_tab or tab.is_shown(request)]
        except Exception:
            logger.exception("The account is shown without the ways to our pages")
            known = []
        request._referral_tabs = known  # type: ignore[attr-defined]
    return known


class AccountTabMixin(_View):
    """For a page of the account: our tabs join the block ``standard_tabs``, unless the shop has their links there."""

    request: HttpRequest

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> Any:
        response = super().render_to_response(context, **response_kwargs)
        if isinstance(response, TemplateResponse) and not response.is_rendered and tabs_for(self.request):
            _add_tabs(response)
        return response


def _add_tabs(response: TemplateResponse) -> None:
    page = response.resolve_template(response.template_name)
    if isinstance(getattr(page, "template", None), Template):
        response.context_data = {**(response.context_data or {}), PARENT: page}
        response.template_name = TEMPLATE


def extend_account(config: Any) -> None:
    """Put the tabs on every page of Oscar's CustomerConfig, the shop's own ones too."""
    for name, view in list(vars(config).items()):
        if name.endswith("_view") and isinstance(view, type) and issubclass(view, TemplateResponseMixin):
            setattr(config, name, extend(view, AccountTabMixin))
