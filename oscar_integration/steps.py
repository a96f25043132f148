"""Before a page of Oscar's checkout shows a total, or takes an order: is it right about a discount, or credit?

Asked by the middleware, so that no view of the checkout is touched for it: not with credit switched off, nor in a shop
whose addresses lead to views of its own.
"""

from __future__ import annotations

import logging
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from oscar_integration import basket as baskets
from oscar_integration import conf
from oscar_integration.checkout import SHOWN

logger = logging.getLogger("oscar_integration")

PAGES: Final = frozenset({"checkout:payment-method", "checkout:payment-details", "checkout:preview"})


def on_entering_view(sender: Any, request: HttpRequest, **kwargs: Any) -> HttpResponse | None:
    """Receiver of ``signals.entering_view``. No query for who has neither an invitation nor a gift."""
    match = request.resolver_match
    if match is None or match.view_name not in PAGES or not hasattr(request, "basket"):
        return None
    try:
        if request.method == "POST" and request.POST.get("action") == "place_order":
            if (not baskets.has_trace(request) and SHOWN not in request.POST) or request.basket.is_empty:
                return None
            if baskets.lost_since_shown(request) or credit_is_gone(request):
                return HttpResponseRedirect(reverse("checkout:payment-details"))
        elif not request.basket.is_empty and baskets.is_concerned(request):
            with transaction.atomic():
                baskets.at_checkout(request)
    except Exception:
        logger.exception("The invitation of a basket could not be looked at during checkout")
    return None


def credit_is_gone(request: HttpRequest) -> bool:
    """Was credit switched off since the shopper agreed to pay with it? Says so: the card would be charged it all."""
    if conf.credit_at_checkout():
        return False
    try:
        with_credit = Decimal(request.POST.get(SHOWN, "0").partition("/")[0]) > 0
    except InvalidOperation:
        return False
    if with_credit:
        messages.warning(
            request,
            _(
                "Orders cannot be paid with credit at the moment. Nothing was charged, and your credit stays on your "
                "account. Please look again at what you pay."
            ),
            fail_silently=True,
        )
    return with_credit
