"""Inside the shop: tell what is in its database."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import UTC
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


def fingerprint(orders: Any) -> str:
    """Of who ordered what, when and how it ended: the same seed gives the same shop, on every database."""
    found = hashlib.sha256()
    for order in orders.order_by("number").select_related("user"):
        email = order.user.email if order.user else order.guest_email
        lines = sorted(order.lines.values_list("partner_sku", "quantity", "line_price_incl_tax"))
        moment = order.date_placed.astimezone(UTC).isoformat()
        goods = [f"{sku} {quantity} {price:.2f}" for sku, quantity, price in lines]
        found.update(f"{order.number} {email} {moment} {order.status} {goods}\n".encode())
    return found.hexdigest()[:12]


def adds_up(order: Any) -> bool:
    """Whether lines and delivery are the total, with tax and without, and nothing more was paid or given back."""
    lines = order.lines.all()
    incl_tax = sum(line.line_price_incl_tax for line in lines) + order.shipping_incl_tax
    excl_tax = sum(line.line_price_excl_tax for line in lines) + order.shipping_excl_tax
    paid = [source.amount_debited for source in order.sources.all()]
    refunded = sum(source.amount_refunded for source in order.sources.all())
    return (
        (incl_tax, excl_tax) == (order.total_incl_tax, order.total_excl_tax)
        and paid in ([], [incl_tax])
        and refunded <= incl_tax
    )


def main() -> None:
    django.setup()
    from django.contrib.auth import get_user_model
    from django.db.models import F
    from oscar.core.loading import get_model

    Order, Source = get_model("order", "Order"), get_model("payment", "Source")
    old = Order.objects.filter(number__startswith="W0")
    boxes = [
        box(email)
        for email in get_user_model().objects.filter(is_staff=False).values_list("email", flat=True)
    ]
    guests = old.filter(user=None)
    guest_boxes = {box(email) for email in guests.values_list("guest_email", flat=True)}
    facts = {
        "fingerprint": fingerprint(old),
        "customers": len(boxes),
        "orders": old.count(),
        "vouchers": get_model("voucher", "Voucher").objects.count(),
        "guest orders": guests.count(),
        "guests who are customers": len(guest_boxes & set(boxes)),
        "accounts of one person": len(boxes) - len(set(boxes)),
        "statuses": old.values("status").distinct().count(),
        "refunded": Source.objects.filter(order__in=old, amount_refunded__gt=0).count(),
        "wrong totals": sum(not adds_up(order) for order in old.prefetch_related("lines", "sources")),
        "orders before their account": old.filter(date_placed__lt=F("user__date_joined")).count(),
        "new orders": [
            order(found) for found in Order.objects.filter(number__startswith="W5").order_by("pk")
        ],
    }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main()
