"""The way to "Refer a friend": a tab in the customer's account, on top of whatever templates the shop has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.http import HttpRequest
from django.template import Template
from django.template.response import TemplateResponse
from django.views.generic.base import TemplateResponseMixin

from oscar_integration.checkout import extend
from wagtail_referrals import credit, programs, tracking
from wagtail_referrals.people.models import Advocate

if TYPE_CHECKING:
    _View = TemplateResponseMixin
else:
    _View = object

logger = logging.getLogger("oscar_integration")

TEMPLATE = "oscar_integration/customer/account_page.html"
# In the template's context: the page as the shop draws it.
PARENT = "referral_parent_template"


def has_referrals(request: HttpRequest) -> bool:
    """Whether "Refer a friend" has something for the customer who is logged in.

    No query of its own while a program is open to them, at most two otherwise.
    """
    user: Any = request.user
    if programs.pick_terms(site_id=tracking.site_id_for(request), user_id=user.pk) is not None:
        return True
    # What was promised before stays, and so does the way to it.
    return Advocate.objects.filter(user_id=user.pk).exists() or bool(credit.accounts_of(user))


class AccountTabMixin(_View):
    """For a page of the account: the tab joins the block ``standard_tabs``, unless the shop has the link there."""

    request: HttpRequest

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> Any:
        response = super().render_to_response(context, **response_kwargs)
        if isinstance(response, TemplateResponse) and self.request.user.is_authenticated:
            try:
                # What the database refuses must not take the shop's own transaction with it.
                with transaction.atomic():
                    shown = has_referrals(self.request)
                if shown and not response.is_rendered:
                    _add_tab(response)
            except Exception:
                logger.exception("The account is shown without its way to the referrals")
        return response


def _add_tab(response: TemplateResponse) -> None:
    page = response.resolve_template(response.template_name)
    if isinstance(getattr(page, "template", None), Template):
        response.context_data = {**(response.context_data or {}), PARENT: page}
        response.template_name = TEMPLATE


def extend_account(config: Any) -> None:
    """Put the tab on every page of Oscar's CustomerConfig, the shop's own ones too."""
    for name, view in list(vars(config).items()):
        if name.endswith("_view") and isinstance(view, type) and issubclass(view, TemplateResponseMixin):
            setattr(config, name, extend(view, AccountTabMixin))
