"""Inside the shop: tell what is in its database."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

sys.path.insert(0, os.getcwd())

import django


def box(email: str) -> str:
    """The letter box behind the spellings of an address."""
    local, _, domain = email.lower().partition("@")
    return f"{local.partition('+')[0].replace('.', '')}@{domain}"


def order(found: Any) -> dict[str, str]:
    return {
        "number": found.number,
        "gift message": found.gift_message,
        "site": found.site.domain,
        "status": found.status,
        "total": f"{found.total_incl_tax} {found.currency}",
        "sources": ", ".join(
            f"{s.source_type.name} {s.amount_debited} {s.currency}" for s in found.sources.all()
        ),
        "events": ", ".join(
            f"{event.event_type.name} {event.amount}" for event in found.payment_events.all()
        ),
    }


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db.models import F, Sum
    from oscar.core.loading import get_model

    Order, Source = get_model("order", "Order"), get_model("payment", "Source")
    old = Order.objects.filter(number__startswith="W0")
    boxes = [
        box(email)
        for email in get_user_model().objects.filter(is_staff=False).values_list("email", flat=True)
    ]
    guests = old.filter(user=None)
    guest_boxes = {box(email) for email in guests.values_list("guest_email", flat=True)}
    summed = old.annotate(goods=Sum("lines__line_price_incl_tax"))
    facts = {
        "customers": len(boxes),
        "orders": old.count(),
        "vouchers": get_model("voucher", "Voucher").objects.count(),
        "guest orders": guests.count(),
        "guests who are customers": len(guest_boxes & set(boxes)),
        "accounts of one person": len(boxes) - len(set(boxes)),
        "statuses": old.values("status").distinct().count(),
        "refunded": Source.objects.filter(order__in=old, amount_refunded__gt=0).count(),
        "wrong totals": summed.exclude(total_incl_tax=F("goods") + F("shipping_incl_tax")).count(),
        "orders before their account": old.filter(date_placed__lt=F("user__date_joined")).count(),
        "new orders": [
            order(found) for found in Order.objects.filter(number__startswith="W5").order_by("pk")
        ],
    }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()
