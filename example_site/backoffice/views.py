"""The shop manager's buttons on an order, and the folder of sent e-mails."""

import email
import email.policy
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import user_passes_test
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency

from example_site.backoffice import orders

Order = get_model("order", "Order")

staff_only = user_passes_test(lambda user: user.is_active and user.is_staff)


@staff_only
@require_POST
def order_action(request: HttpRequest, number: str, action: str) -> HttpResponse:
    """Do one action on an order and return to its page, with what happened or why it could not."""
    order = get_object_or_404(Order, number=number)
    try:
        messages.success(request, _act(request, order, action))
    except orders.NotPossible as error:
        messages.error(request, str(error))
    return redirect("dashboard:order-detail", number=number)


def _act(request: HttpRequest, order: Any, action: str) -> str:
    if action == "paid":
        orders.mark_paid(order, request.user)
        return _("Payment taken: the order is paid.")
    if action == "shipped":
        orders.mark_shipped(order, request.user)
        return _("The order is marked as shipped.")
    if action == "cancel":
        given = orders.cancel(order, request.user)
        return _("Order cancelled, %(amount)s given back.") % {"amount": currency(given, order.currency)}
    if action == "refund-amount":
        amount, most = _amount(request.POST.get("amount", "")), orders.refundable(order)
        if 0 < most < amount:
            # A slip of the finger, 100 for 10.0, must not give everything back.
            raise orders.NotPossible(
                _("At most %(amount)s can be refunded.") % {"amount": currency(most, order.currency)}
            )
        given = orders.refund(order, amount=amount, user=request.user)
    elif action == "refund-lines":
        given = orders.refund(
            order,
            quantities=_quantities(request.POST),
            with_shipping="with_shipping" in request.POST,
            user=request.user,
        )
    else:
        raise Http404
    return _("%(amount)s refunded.") % {"amount": currency(given, order.currency)}


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= Decimal("1e9"):
        raise orders.NotPossible(_("Please enter an amount, like 15.00."))
    return amount


def _quantities(data: Any) -> dict[int, int]:
    try:
        return {
            int(name.removeprefix("quantity-")): int(value or 0)
            for name, value in data.items()
            if name.startswith("quantity-")
        }
    except ValueError:
        raise orders.NotPossible(_("Please enter whole numbers.")) from None


@staff_only
def mail_list(request: HttpRequest) -> HttpResponse:
    """The hundred newest e-mails that the shop sent."""
    # Their names begin with the moment at which they were written.
    files = sorted(Path(settings.EMAIL_FILE_PATH).glob("*.log"), reverse=True)
    mails = [
        _headers(path, index, message)
        for path in files[:100]
        for index, message in reversed(list(enumerate(_messages(path))))
    ]
    return render(request, "example_site/mail_list.html", {"mails": mails[:100]})


@staff_only
def mail_detail(request: HttpRequest, name: str, index: int) -> HttpResponse:
    """One e-mail as its reader sees it, in a frame that runs no script."""
    path = Path(settings.EMAIL_FILE_PATH) / f"{name}.log"
    messages_in_file = _messages(path) if path.is_file() else []
    if index >= len(messages_in_file):
        raise Http404
    message = messages_in_file[index]
    html, plain = message.get_body(("html",)), message.get_body(("plain",))
    context = {
        "mail": _headers(path, index, message),
        "html": html.get_content() if html else "",
        "text": plain.get_content() if plain else "",
    }
    return render(request, "example_site/mail_detail.html", context)


def _messages(path: Path) -> list[Any]:
    """The e-mails of one file: Django's file backend writes a line of dashes after each."""
    parts = path.read_bytes().split(b"\n" + b"-" * 79 + b"\n")
    return [
        email.message_from_bytes(part.lstrip(), policy=email.policy.default) for part in parts if part.strip()
    ]


def _moment(header: str) -> datetime:
    """When it was sent. "-0000" is what Django writes for UTC, and is read as a moment without a time zone."""
    moment = parsedate_to_datetime(header)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _headers(path: Path, index: int, message: Any) -> dict[str, Any]:
    return {
        "name": path.stem,
        "index": index,
        "subject": message["subject"],
        "to": message["to"],
        "date": _moment(message["date"]),
    }
