"""Credit in the shop's order confirmation, whatever its template: Oscar's text mail has no block to fill."""

from __future__ import annotations

import logging
import re
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from oscar.core.loading import get_class
from oscar.templatetags.currency_filters import currency

from oscar_integration.paid import OrderCredit

# The row of the order's total in Oscar's own HTML mail.
_TOTAL_ROW = re.compile(r'<tr class="total">.*?</tr>', re.DOTALL)


def dispatcher(spent: OrderCredit) -> Any:
    """The shop's OrderDispatcher, whose messages say what was paid with credit."""

    class Dispatcher(get_class("order.utils", "OrderDispatcher")):  # type: ignore[misc]
        def dispatch_order_messages(self, order: Any, messages: Any, *args: Any, **kwargs: Any) -> None:
            super().dispatch_order_messages(order, add_credit(messages, spent), *args, **kwargs)

    return Dispatcher(logger=logging.getLogger("oscar.checkout"))


def add_credit(messages: dict[str, Any], spent: OrderCredit) -> dict[str, Any]:
    """``messages`` (Oscar's: subject, body, html, sms) with what was paid with credit and what remained.

    A part that says "Referral credit" already stays as it is: the shop's own template took care of it.
    """
    found = dict(messages)
    words = _("Referral credit")
    context = {"spent": spent}
    if found.get("body") and words not in found["body"]:
        lines = render_to_string("oscar_integration/emails/credit.txt", context).strip()
        found["body"] = _below_total(found["body"], lines, spent)
    html = found.get("html")
    if html and words not in html:
        row = _TOTAL_ROW.search(html)
        place = row.end() if row else html.lower().rfind("</body>")
        name = "credit_rows" if row else "credit_paragraph"
        part = render_to_string(f"oscar_integration/emails/{name}.html", context)
        found["html"] = html + part if place < 0 else html[:place] + part + html[place:]
    return found


def _below_total(body: str, lines: str, spent: OrderCredit) -> str:
    """Put ``lines`` below the last line of a text that shows the order's total, or at its end."""
    total = currency(spent.total, spent.currency)
    text = body.splitlines()
    last = max((index for index, line in enumerate(text) if total in line), default=None)
    if last is None:
        return f"{body.rstrip()}\n\n{lines}\n"
    return "\n".join([*text[: last + 1], lines, *text[last + 1 :]])
