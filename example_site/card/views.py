"""The bank's page, where the customer confirms a payment, refuses it, or leaves; and the card that is kept."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from example_site.card import gateway, kept
from example_site.card.forms import DEMONSTRATION_CARDS, CardForm
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


@never_cache
@login_required
@require_http_methods(["GET", "POST"])
def card_page(request: HttpRequest) -> HttpResponse:
    """The card that the customer keeps for renewals: see it, put another one in its place, or remove it."""
    card = kept.card_of(request.user)
    form = CardForm()
    if request.method == "POST" and "remove" in request.POST:
        if card is not None:
            card.delete()
            messages.success(request, _("Your card is removed. Nothing can be charged to it any more."))
        return redirect("account_card:page")
    if request.method == "POST":
        form = CardForm(request.POST)
        if form.is_valid():
            number = form.cleaned_data["number"]
            if number == gateway.DECLINED:
                form.add_error("number", _("Your bank declined this card: please try another one."))
            else:
                card = kept.keep_card(request.user, gateway.keep(number))
                messages.success(
                    request, _("Your renewals are charged to %(card)s from now on.") % {"card": card.label}
                )
                if kept.pays_what_is_due(request.user):
                    messages.info(request, _("What is due is charged to it within the hour."))
                return redirect("account_card:page")
    context = {
        "card": card,
        "card_form": form,
        "demonstration_cards": DEMONSTRATION_CARDS,
        "page_title": _("Card for renewals"),
        "active_tab": "card",
    }
    return render(request, "example_site/card_page.html", context)
