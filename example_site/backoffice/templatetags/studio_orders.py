"""What the shop manager can do with an order now."""

from typing import Any

from django import template
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from example_site.backoffice import orders

register = template.Library()


@register.simple_tag
def order_actions(order: Any) -> dict[str, Any]:
    """Buttons (code, label, CSS classes), amounts, and the lines with the number of pieces refunded so far."""
    next_statuses = order.available_statuses()
    buttons = [
        {"code": code, "label": label, "look": look}
        for code, status, label, look in (
            ("paid", "Paid", _("Mark as paid"), "btn-primary"),
            ("shipped", "Shipped", _("Mark as shipped"), "btn-primary"),
            ("cancel", "Cancelled", _("Cancel the order"), "btn-outline-danger"),
        )
        if status in next_statuses
    ]
    event_type = get_model("order", "PaymentEventType").objects.filter(name="Refund").first()
    lines = list(order.lines.all())
    for line in lines:
        line.refunded = line.payment_event_quantity(event_type) if event_type else 0
        line.left = line.quantity - line.refunded
    return {
        "buttons": buttons,
        "lines": lines,
        "paid": orders.paid(order),
        "refundable": orders.refundable(order),
    }
