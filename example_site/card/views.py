"""The bank's page, where the customer confirms a payment, refuses it, or leaves."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from example_site.card import gateway
from example_site.card.models import DemoCharge

ANSWERS = {
    "confirm": DemoCharge.Status.AUTHORISED,
    "refuse": DemoCharge.Status.DECLINED,
    "leave": DemoCharge.Status.ABANDONED,
}


@never_cache
@require_http_methods(["GET", "POST"])
def bank_page(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Ask the customer, then send them back to the shop; the language is the one the shop was in."""
    charge: Any = get_object_or_404(DemoCharge, token=token)
    with override(language):
        if request.method == "POST":
            status = ANSWERS.get(request.POST.get("answer", ""))
            if status:
                gateway.answer(token, status)
            return redirect(reverse("checkout:card-return"))
        if charge.status != DemoCharge.Status.AT_BANK:
            return redirect(reverse("checkout:card-return"))
        return render(request, "example_site/bank_page.html", {"charge": charge, "language": language})
