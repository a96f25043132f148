"""Ways from Oscar's dashboard to the referrals in Wagtail's admin: on the page of an order, and in the navigation.

Nobody sees more here than there: who may not look at referrals finds the dashboard as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from django.contrib.admin.utils import quote
from django.db import transaction
from django.http import HttpRequest
from django.template import Template
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from oscar_integration.checkout import extend
from wagtail_referrals.admin.words import (
    advocate_name,
    reward_amount,
    reward_words,
)
from wagtail_referrals.kinds import Side
from wagtail_referrals.referrals import reason_words
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral

if TYPE_CHECKING:
    from oscar.apps.dashboard.orders.views import OrderDetailView as _OrderDetailView
else:
    _OrderDetailView = object

logger = logging.getLogger("oscar_integration")

TEMPLATE: Final = "oscar_integration/dashboard/order_detail.html"
# In the template's context: the page as the shop draws it.
PARENT: Final = "referral_parent_template"
# Wagtail's admin asks for it on every page.
OPEN_ADMIN: Final = "wagtailadmin.access_admin"
VIEW_REFERRAL: Final = "wagtail_referrals.view_referral"
VIEW_REQUEST: Final = "wagtail_referrals.view_attributionrequest"
VIEW_REWARD: Final = "wagtail_referrals.view_reward"


# The page of an order


@dataclass
class OrderPanel:
    """What is said of one order. ``url`` and those of the requests are "" for who may not open them."""

    referral: Referral | None = None
    advocate: str = ""
    reason: str = ""
    url: str = ""
    rewards: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    _is_shown: bool = False

    def show_once(self) -> bool:
        """True the first time: the template has two places for it, and a page of the shop's own maybe one of them."""
        was_shown, self._is_shown = self._is_shown, True
        return not was_shown


def order_panel(reference: str, user: Any) -> OrderPanel | None:
    """What ``user`` may see of the referral that an order belongs to, and of requests about it. 2 or 3 queries.

    ``None`` where there is nothing, or nothing for this user.
    """
    panel = OrderPanel()
    if user.has_perm(VIEW_REFERRAL):
        purchase = (
            Purchase.objects.filter(reference=reference)
            .select_related("referral__advocate__user", "referral__terms")
            .first()
        )
        if purchase is not None:
            _tell_referral(panel, purchase.referral, user)
    if user.has_perm(VIEW_REQUEST):
        panel.requests = [
            {
                "kind": request.get_kind_display(),
                "state": request.get_state_display(),
                "url": _admin_url(user, "wagtail_referrals_requests:inspect", request.pk),
            }
            for request in AttributionRequest.objects.filter(reference=reference).order_by("pk")
        ]
    return panel if panel.referral is not None or panel.requests else None


def _tell_referral(panel: OrderPanel, referral: Referral, user: Any) -> None:
    panel.referral = referral
    panel.advocate = advocate_name(referral.advocate)
    panel.reason = capfirst(reason_words(referral.reason)) if referral.reason else ""
    panel.url = _admin_url(user, "wagtail_referrals_referrals:inspect", referral.pk)
    if user.has_perm(VIEW_REWARD):
        for reward in referral.rewards.select_related("terms").order_by("pk"):
            what, amount = reward_words(reward), reward_amount(reward)
            panel.rewards.append(
                {
                    # "Your customer" is here the one who ordered.
                    "who": _("referrer") if reward.side == Side.ADVOCATE else _("friend"),
                    "what": what,
                    "amount": "" if amount in what else amount,
                    "state": reward.get_state_display(),
                }
            )


def _admin_url(user: Any, name: str, pk: int) -> str:
    if not user.has_perm(OPEN_ADMIN):
        return ""
    try:
        return reverse(name, args=[quote(pk)])
    except NoReverseMatch:
        # The shop's URLs have no Wagtail admin.
        return ""


class OrderPanelMixin(_OrderDetailView):
    """For the page of an order in the dashboard: its referral stands below what the shop says of the order."""

    request: HttpRequest

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> Any:
        response = super().render_to_response(context, **response_kwargs)
        try:
            if isinstance(response, TemplateResponse) and not response.is_rendered:
                # What the database refuses must not take the shop's own transaction with it.
                with transaction.atomic():
                    self._add_panel(response)
        except Exception:
            logger.exception("The dashboard shows an order without its referral")
        return response

    def _add_panel(self, response: TemplateResponse) -> None:
        panel = order_panel(self.object.number, self.request.user)
        if panel is None:
            return
        page = response.resolve_template(response.template_name)
        if isinstance(getattr(page, "template", None), Template):
            response.context_data = {
                **(response.context_data or {}),
                PARENT: page,
                "referral_panel": panel,
            }
            response.template_name = TEMPLATE


def extend_order_page(config: Any) -> None:
    """Put the panel on the page of an order, in the view of Oscar's OrdersDashboardConfig."""
    view = getattr(config, "order_detail_view", None)
    if isinstance(view, type):
        config.order_detail_view = extend(view, OrderPanelMixin)


# The navigation


def _may(permission: str) -> Callable[..., bool]:
    """Oscar's own way to ask knows only its own pages, and raises for others."""

    def access(user: Any, url_name: str, url_args: Any = None, url_kwargs: Any = None) -> bool:
        if not user.has_perms([OPEN_ADMIN, permission]):
            return False
        try:
            reverse(url_name, args=url_args, kwargs=url_kwargs)
        except NoReverseMatch:
            return False
        return True

    return access


def _always(user: Any, url_name: str | None, url_args: Any = None, url_kwargs: Any = None) -> bool:
    """A heading; Oscar leaves out one without pages beneath."""
    return True


NAVIGATION: Final[dict[str, Any]] = {
    "label": _("Referrals"),
    "icon": "fas fa-share-alt",
    "access_fn": _always,
    "children": [
        {
            "label": pgettext_lazy("menu", "To check"),
            "url_name": "wagtail_referrals_review:index",
            "access_fn": _may("wagtail_referrals.review_referral"),
        },
        {
            "label": _("Programs"),
            "url_name": "wagtail_referrals_programs:list",
            "access_fn": _may("wagtail_referrals.change_program"),
        },
        {
            "label": _("Referrals"),
            "url_name": "wagtail_referrals_referrals:index",
            "access_fn": _may(VIEW_REFERRAL),
        },
        {
            "label": _("Requests about orders"),
            "url_name": "wagtail_referrals_requests:index",
            "access_fn": _may(VIEW_REQUEST),
        },
        {
            "label": _("Referral summary"),
            "url_name": "wagtail_referrals_summary",
            "access_fn": _may("wagtail_referrals.view_summary"),
        },
    ],
}


def extend_navigation(settings: Any) -> None:
    """Add our heading to the dashboard's navigation, which Oscar reads from the settings for each page.

    Not where the shop's own navigation leads to our pages already.
    """
    items = getattr(settings, "OSCAR_DASHBOARD_NAVIGATION", None)
    if items is None or any(_leads_to_us(item) for item in items):
        return
    settings.OSCAR_DASHBOARD_NAVIGATION = [*items, NAVIGATION]


def _leads_to_us(item: dict[str, Any]) -> bool:
    names = [entry.get("url_name") or "" for entry in (item, *item.get("children", ()))]
    return any(name.startswith("wagtail_referrals_") for name in names)
