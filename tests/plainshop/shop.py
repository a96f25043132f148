"""The port, implemented for the smallest shop; and its checkout, as such a shop would write it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, Sum, Value
from django.db.models.functions import TruncDate
from django.utils import timezone

from tests.plainshop.models import Basket, Order, Voucher
from wagtail_referrals import credit, people, rewards
from wagtail_referrals.kinds import DiscountRequest, Rule, Trigger
from wagtail_referrals.referrals import (
    CustomerOrders,
    DayOrders,
    Facts,
    GoodOrder,
    GuestOrders,
    PlacedOrder,
    PurchaseSnapshot,
)

CURRENCY = "EUR"


class PlainShop:
    def facts(self, references: Sequence[str]) -> Mapping[str, Facts]:
        return {
            order.number: Facts(
                paid_at=order.paid_at,
                shipped_at=order.shipped_at,
                cancelled=order.cancelled,
                refunded=min(
                    order.refunded + sum(map(Decimal, order.refunded_lines.values())),
                    order.goods - order.discount,
                ),
                refunded_lines={kind: Decimal(amount) for kind, amount in order.refunded_lines.items()},
            )
            for order in Order.objects.filter(number__in=references)
        }

    def guest_orders(self) -> GuestOrders:
        return GuestOrders(Order.objects.all(), reference="number", email="email")

    def was_customer(self, *, user, email: str, excluding: str | None) -> bool:
        same = Q(email__iexact=email or getattr(user, "email", "") or "-")
        if user is not None:
            same |= Q(user=user)
        for known in people.email_rows_of(user, email):
            same |= Q(number__in=known.filter(order_reference__isnull=False).values("order_reference"))
            same |= Q(user__in=known.filter(user__isnull=False).values("user"))
        return Order.objects.filter(same, cancelled=False).exclude(number=excluding or "").exists()

    def same_delivery_address(self, reference: str, user) -> bool:
        address = Order.objects.get(number=reference).address
        return bool(address) and Order.objects.filter(user=user, address=address).exists()

    def orders_of_customers(self, user_id) -> CustomerOrders:
        orders = Order.objects.filter(cancelled=False)
        return CustomerOrders(
            orders=orders if user_id is None else orders.filter(user=user_id),
            customer="user",
            placed_at="placed_at",
            currency=Value(CURRENCY),
            spent=F("goods") + F("shipping") - F("discount") - F("refunded"),
        )

    def ranges(self) -> list[tuple[str, str]]:
        return []

    def customers_who_bought(self, range_id: str, user_id):
        return Order.objects.none().values("user")

    def placed_order(self, reference: str, terms) -> PlacedOrder | None:
        order = Order.objects.select_related("user").filter(number=reference).first()
        if order is None:
            return None
        earlier = Order.objects.filter(email=order.email, placed_at__lt=order.placed_at, cancelled=False)
        snapshot = PurchaseSnapshot(
            reference=order.number,
            placed_at=order.placed_at,
            currency=CURRENCY,
            eligible=order.goods - order.discount,
            total=order.goods - order.discount,
            was_customer=earlier.exists(),
            lines=[{"line": kind, "amount": amount} for kind, amount in order.lines.items()],
        )
        return PlacedOrder(snapshot, order.user, order.email)

    def orders_by_day(self, start: datetime, end: datetime) -> list[DayOrders]:
        day = TruncDate("placed_at", tzinfo=timezone.get_default_timezone())
        earlier = Order.objects.filter(email__iexact=OuterRef("email"), placed_at__lt=OuterRef("placed_at"))
        rows = (
            Order.objects.filter(placed_at__gte=start, placed_at__lt=end)
            .annotate(day=day, is_repeat=Exists(earlier))
            .values_list("day")
            .annotate(
                number=Count("pk"),
                repeats=Count("pk", filter=Q(is_repeat=True)),
                revenue=Sum(F("goods") - F("discount")),
            )
        )
        return [DayOrders(day, CURRENCY, orders, repeats, revenue) for day, orders, repeats, revenue in rows]

    def recent_good_orders(self, start: datetime, end: datetime) -> list[GoodOrder]:
        orders = Order.objects.filter(
            shipped_at__gte=start, shipped_at__lt=end, cancelled=False, refunded=0, user__isnull=False
        )
        return [
            GoodOrder(order.number, order.user_id, order.placed_at, order.shipped_at)
            for order in orders.order_by("pk")
            if not order.refunded_lines
        ]

    def first_orders(self, most: int, terms) -> list[PurchaseSnapshot]:
        earlier = Order.objects.filter(email__iexact=OuterRef("email"), placed_at__lt=OuterRef("placed_at"))
        orders = Order.objects.filter(~Exists(earlier)).order_by("-placed_at", "-pk")[:most]
        return [
            PurchaseSnapshot(
                reference=order.number,
                placed_at=order.placed_at,
                currency=CURRENCY,
                eligible=order.goods - order.discount,
                total=order.goods - order.discount,
                was_customer=False,
            )
            for order in orders
        ]

    def people_named(self, name: str, town: str) -> list[int]:
        first, _blank, last = name.partition(" ")
        lives_there = Order.objects.filter(address__iendswith=town).values("user")
        accounts = get_user_model().objects.filter(first_name__iexact=first, last_name__iexact=last)
        return list(accounts.filter(pk__in=lives_there).values_list("pk", flat=True))

    def takes_credit(self) -> bool:
        return True

    def start_url(self, request) -> str:
        return "/"

    def order_url(self, reference: str) -> str:
        return ""

    def issue_discount(self, request: DiscountRequest) -> str:
        voucher, _ = Voucher.objects.get_or_create(
            reference=request.reference,
            defaults={"percent": request.percent, "amount": request.amounts.get(CURRENCY)},
        )
        return voucher.code

    def use_discount(self, request, code: str) -> str:
        return ""

    def void_discount(self, code: str) -> bool:
        Voucher.objects.filter(code=code).update(void=True)
        return False


class BuysMats(Trigger):
    """As such a shop would write it: each order with a mat in it."""

    key = "buys_mats"
    label = "the friend buys a mat"

    def words(self, rule: Rule) -> str:
        return "has bought a mat, each time"

    def eligible_lines(
        self, rule: Rule, lines: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]] | None:
        return [line for line in lines if line["line"] == "mat"]


def lines_of(goods: Mapping[str, str], total: Decimal) -> dict[str, str]:
    """What each kind of goods cost, where they cost ``total`` together: the discount is spread."""
    before = sum(map(Decimal, goods.values()), Decimal(0))
    found, left = {}, total
    for kind, amount in goods.items():
        share = min(credit.quantize(Decimal(amount) * total / before, CURRENCY), left)
        found[kind], left = share, left - share
    if found:
        found[kind] += left
    return {kind: str(amount) for kind, amount in found.items()}


def discount_for(basket: Basket, goods: Decimal, now: datetime) -> dict[str, Decimal]:
    """What the friend's discounts take off, by voucher code."""
    found = {}
    claim = rewards.commit(basket_reference=str(basket.pk), user=basket.user, now=now)
    for grant in rewards.active_discounts(claim) if claim else []:
        refusal = rewards.discount_refusal(
            grant, user_id=basket.user_id, basket_reference=str(basket.pk), now=now
        )
        voucher = Voucher.objects.get(code=grant.code)
        if refusal is None and not voucher.void:
            off = voucher.amount if voucher.percent is None else goods * voucher.percent / 100
            found[grant.code] = credit.quantize(min(off, goods), CURRENCY)
    return found


def place_order(
    basket: Basket,
    *,
    number: str,
    goods: Decimal,
    email: str,
    now: datetime,
    address: str = "",
    use_credit: Decimal = Decimal(0),
    lines: Mapping[str, str] | None = None,
) -> Order:
    """Reserve credit, charge the rest, write the order, capture, attribute."""
    discounts = discount_for(basket, goods, now)
    total = goods - sum(discounts.values(), Decimal(0))
    if use_credit:
        credit.reserve(
            user=basket.user,
            currency=CURRENCY,
            amount=use_credit,
            order_number=number,
            expires_at=now + timedelta(hours=1),
            now=now,
        )
    with transaction.atomic():
        people.remember_order(number, email)
        order = Order.objects.create(
            number=number,
            user=basket.user,
            email=email,
            address=address,
            goods=goods,
            discount=goods - total,
            paid_by_credit=use_credit,
            paid_by_card=total - use_credit,
            lines=lines_of(lines or {}, total),
            placed_at=now,
        )
        if use_credit:
            credit.capture(order_number=number, now=now)
        rewards.order_placed(
            PurchaseSnapshot(
                reference=number,
                placed_at=now,
                currency=CURRENCY,
                eligible=total,
                total=total,
                was_customer=PlainShop().was_customer(user=basket.user, email=email, excluding=number),
                lines=[{"line": kind, "amount": amount} for kind, amount in order.lines.items()],
            ),
            basket_reference=str(basket.pk),
            user=basket.user,
            email=email,
            discounts=discounts,
            now=now,
        )
    return order
