"""The share panel on the page after an order, on top of whatever template the shop has.

A shop that has the tag ``referral_thank_you`` in its own template keeps it where it is: the panel is shown once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.http import HttpRequest
from django.template import Template
from django.template.response import TemplateResponse

from oscar_integration import conf
from oscar_integration.checkout import extend
from wagtail_referrals import programs, tracking

if TYPE_CHECKING:
    from oscar.apps.checkout.views import ThankYouView as _ThankYouView
else:
    _ThankYouView = object

logger = logging.getLogger("oscar_integration")

TEMPLATE: Final = "oscar_integration/checkout/thank_you.html"
# In the template's context: the page as the shop draws it.
PARENT: Final = "referral_parent_template"


class ThankYouMixin(_ThankYouView):
    """For the page after an order. While no program is open it is the shop's own, to the letter."""

    request: HttpRequest

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> Any:
        response = super().render_to_response(context, **response_kwargs)
        try:
            if isinstance(response, TemplateResponse) and not response.is_rendered:
                self._add_panel(response, context["order"])
        except Exception:
            logger.exception("The page after an order is shown without the share panel")
        return response

    def _add_panel(self, response: TemplateResponse, order: Any) -> None:
        user: Any = self.request.user
        known = user.is_authenticated
        # Staff who look at somebody's page get no link of theirs, and no code is made for a guest who did not see it.
        if (
            (order.user_id is not None and order.user_id != user.pk)
            or (order.user_id is None and known and user.is_superuser)
            or programs.pick_terms(
                site_id=tracking.site_id_for(self.request), user_id=user.pk if known else None
            )
            is None
        ):
            return
        page = response.resolve_template(response.template_name)
        if isinstance(getattr(page, "template", None), Template):
            response.context_data = {
                **(response.context_data or {}),
                PARENT: page,
                "referral_order_email": "" if known else order.guest_email,
            }
            response.template_name = TEMPLATE


def extend_thank_you(config: Any) -> None:
    """Put the panel on the page after an order, in the view of Oscar's CheckoutConfig; not where it is switched off."""
    view = getattr(config, "thankyou_view", None)
    if isinstance(view, type) and conf.shares_after_order():
        config.thankyou_view = extend(view, ThankYouMixin)
