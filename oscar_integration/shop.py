"""The shop as the engine sees it: django-oscar's orders, customers and vouchers."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from oscar.apps.offer.abstract_models import AbstractRange
from oscar.core.loading import get_class, get_model

from oscar_integration import (
    conf,
    customers,
    first_orders,
    good_orders,
    named,
    order_days,
    order_hooks,
    vouchers,
)
from wagtail_referrals import credit, people, rewards
from wagtail_referrals.kinds import DiscountRequest
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals import (
    CustomerOrders,
    DayOrders,
    Facts,
    GoodOrder,
    GuestOrders,
    PlacedOrder,
    PurchaseSnapshot,
    get_shop,
)

NOTHING: Final = Decimal("0.00")
# How many of a customer's own orders are looked through for an address.
_ORDERS_WITH_ADDRESS: Final = 200


class OscarShop:
    """Implements ``wagtail_referrals.referrals.Shop``. Name it in ``WAGTAIL_REFERRALS["SHOP"]``."""

    # Discounts

    def issue_discount(self, request: DiscountRequest) -> str:
        return vouchers.issue(request)

    def void_discount(self, code: str) -> bool:
        return vouchers.void(code)

    def use_discount(self, request: HttpRequest, code: str) -> str:
        from oscar_integration.basket import use_discount

        grant = rewards.discount_by_code(code)
        if grant is None or not hasattr(request, "basket"):
            return ""
        use_discount(request, grant)
        return reverse("basket:summary")

    # Credit

    def takes_credit(self) -> bool:
        return conf.credit_at_checkout()

    def renews(self) -> bool:
        return apps.is_installed("oscar_integration.memberships")

    # Orders

    def facts(self, references: Sequence[str]) -> Mapping[str, Facts]:
        """The present state of these orders: 7 queries, however many orders."""
        return read_facts(references)

    def was_customer(self, *, user: Any, email: str, excluding: str | None) -> bool:
        """Is there an order by this account or this address, other than ``excluding``? 1 query.

        Addresses are compared with guests' and with accounts', present and former ones, without regard to case, dots
        and +tags. An order that was cancelled
        before anything was sent makes nobody a customer.
        """
        others = get_model("order", "Order")._default_manager.all()
        if excluding is not None:
            others = others.exclude(number=excluding)
        return bool(orders_of(user, email, others).exists())

    def guest_orders(self) -> GuestOrders:
        orders = get_model("order", "Order")._default_manager.exclude(guest_email="")
        return GuestOrders(orders, reference="number", email="guest_email")

    def same_delivery_address(self, reference: str, user: Any) -> bool:
        """Was the order sent to an address in this customer's address book, or of an order of theirs? 3 queries."""
        if user is None or not user.pk:
            return False
        ShippingAddress = get_model("order", "ShippingAddress")
        fields = ("line1", "line2", "line3", "line4", "postcode", "country_id")
        sent_to = ShippingAddress.objects.filter(order__number=reference).values_list(*fields).first()
        if sent_to is None:
            return False
        wanted = address_key(*sent_to)
        if not wanted[0]:
            return False
        own = get_model("address", "UserAddress").objects.filter(user=user).values_list(*fields)
        if any(address_key(*address) == wanted for address in own):
            return True
        ordered = (
            ShippingAddress.objects.filter(order__user=user)
            .exclude(order__number=reference)
            .order_by("-pk")
            .values_list(*fields)[:_ORDERS_WITH_ADDRESS]
        )
        return any(address_key(*address) == wanted for address in ordered)

    # Customers, for audiences

    def orders_of_customers(self, user_id: Any | None) -> CustomerOrders:
        return customers.orders_of_customers(user_id)

    def ranges(self) -> Sequence[tuple[str, str]]:
        return customers.ranges()

    def customers_who_bought(self, range_id: str, user_id: Any | None) -> QuerySet[Any]:
        return customers.customers_who_bought(range_id, user_id)

    def orders_by_day(self, start: datetime, end: datetime) -> Iterable[DayOrders]:
        return order_days.orders_by_day(start, end)

    def first_orders(self, most: int, terms: TermsData) -> Sequence[PurchaseSnapshot]:
        return first_orders.first_orders(most, terms)

    def recent_good_orders(self, start: datetime, end: datetime) -> Iterable[GoodOrder]:
        return good_orders.recent_good_orders(start, end)

    # Requests about orders

    def placed_order(self, reference: str, terms: Sequence[TermsData]) -> PlacedOrder | None:
        """The order with this number, as it would have been noted when it was placed. 2 queries."""
        from oscar_integration.triggers import asked_ranges

        orders = get_model("order", "Order")._default_manager.select_related("user")
        order = orders.filter(number=reference).first()
        if order is None:
            return None
        email = email_of(order)
        snapshot = snapshot_of(order, user=order.user, email=email, ranges=asked_ranges(terms))
        return PlacedOrder(snapshot, order.user, email, str(order.basket_id or ""))

    def people_named(self, name: str, town: str) -> Collection[Any]:
        return named.people_named(name, town)

    # Addresses of pages

    def start_url(self, request: HttpRequest) -> str:
        return reverse("catalogue:index")

    def register_url(self, request: HttpRequest) -> str:
        try:
            return reverse("customer:register")
        except NoReverseMatch:
            return ""

    def order_url(self, reference: str) -> str:
        try:
            return reverse("dashboard:order-detail", kwargs={"number": reference})
        except NoReverseMatch:
            return ""


def snapshot_of(
    order: Any, *, user: Any, email: str, ranges: Collection[int] = frozenset()
) -> PurchaseSnapshot:
    """What the engine freezes of an order when it is placed by this account or this address.

    1 query, which asks with the lines whether there was an order before. A shop with an answer of its own is asked.
    ``ranges`` are those about which rules ask: which of them the products are in costs queries for each of them.
    Apps may describe the lines further, see ``order_hooks``.
    """
    shop = get_shop()
    lines = order.lines.annotate(referrals_product_class=product_class())
    was_customer: bool | None = None
    if type(shop).was_customer is OscarShop.was_customer:
        others = type(order)._default_manager.exclude(number=order.number)
        earlier = orders_of(user, email, others.filter(date_placed__lte=order.date_placed))
        lines = list(lines.annotate(referrals_was_customer=Exists(earlier)))
        was_customer = lines[0].referrals_was_customer if lines else None
    if was_customer is None:
        was_customer = shop.was_customer(user=user, email=email, excluding=str(order.number))
    lines = list(lines)
    eligible = sum((line.line_price_incl_tax for line in lines), NOTHING)
    members = ranges_of([line.product_id for line in lines], ranges)
    more = order_hooks.described(order, user, lines)
    return PurchaseSnapshot(
        reference=str(order.number),
        placed_at=order.date_placed,
        currency=order.currency,
        eligible=credit.quantize(eligible, order.currency),
        total=order.total_incl_tax,
        was_customer=was_customer,
        lines=[
            {
                **more.get(line.pk, {}),
                "line": line.pk,
                "product": line.product_id,
                "upc": line.upc or "",
                "title": line.title,
                "quantity": line.quantity,
                "amount": str(line.line_price_incl_tax),
                "ranges": members.get(line.product_id, []),
                "product_class": line.referrals_product_class,
            }
            for line in lines
        ],
    )


def product_class() -> Case:
    """The class of a line's product: a variant is of its parent's. ``None`` for a product that is gone."""
    child = get_model("catalogue", "Product").CHILD
    return Case(
        When(product__structure=child, then=F("product__parent__product_class")),
        default=F("product__product_class"),
    )


def ranges_of(product_ids: Iterable[int | None], range_ids: Collection[int]) -> dict[int, list[int]]:
    """Which of these ranges each of these products is in, as Oscar's own ranges answer. No query without a range.

    A range that no longer exists has no products.
    """
    found: dict[int, list[int]] = {}
    wanted = {product_id for product_id in product_ids if product_id is not None}
    if not wanted or not range_ids:
        return found
    Range = get_model("offer", "Range")
    for reach in Range.objects.filter(pk__in=range_ids).order_by("pk"):
        for product_id in _members(reach, wanted):
            found.setdefault(product_id, []).append(reach.pk)
    return found


def _members(reach: Any, product_ids: set[int]) -> Iterable[int]:
    """Those of the products that are in the range."""
    if reach.proxy is None and type(reach).contains_product is AbstractRange.contains_product:
        return set(reach.all_products().filter(pk__in=product_ids).values_list("pk", flat=True))
    # Ranges of the shop's own making are asked about one product at a time.
    products = get_model("catalogue", "Product").objects.filter(pk__in=product_ids).select_related("parent")
    return {product.pk for product in products if reach.contains_product(product)}


def orders_of(user: Any, email: str, among: QuerySet[Any] | None = None) -> QuerySet[Any]:
    """Orders by this account or this address, without those that were cancelled before anything was sent.

    ``among`` are the orders that are looked at, all by default: what comes out is a union, which cannot be filtered
    any more, and may name an order twice. Variants of an address are one: dots, +tags and case tell nobody apart.
    """
    if among is None:
        among = get_model("order", "Order")._default_manager.all()
    among = among.order_by().exclude(_never_happened())
    ways = list(_ways_to(among, user, email))
    # Each way is an index of its own; joined by OR, the database would go through all orders.
    # From Django 6.1 on a union has the model's ordering again.
    return ways[0].union(*ways[1:], all=True).order_by() if ways else among.none()


def _ways_to(orders: QuerySet[Any], user: Any, email: str) -> Iterator[QuerySet[Any]]:
    known = user if user is not None and getattr(user, "pk", None) else None
    if known is not None:
        yield orders.filter(user_id=known.pk)
    for rows in people.email_rows_of(known, email):
        yield orders.filter(user_id__in=rows.filter(user__isnull=False).values("user_id"))
        yield orders.filter(number__in=rows.filter(order_reference__isnull=False).values("order_reference"))
    # Until the table of addresses is complete, the very address is compared with all, without an index.
    accounts = get_user_model()._default_manager
    field = get_user_model().get_email_field_name()
    same = Q()
    for address in sorted({email, people.email_of_account(known)} - {""}):
        same |= Q(guest_email__iexact=address)
        same |= Q(user_id__in=accounts.filter(**{f"{field}__iexact": address}).values("pk"))
    if same:
        yield orders.filter(same, ~people.all_emails_known())


def email_of(order: Any) -> str:
    """The guest's address, or the account's; "" for neither."""
    return order.guest_email or people.email_of_account(order.user)


def _never_happened() -> Q:
    """Orders that were cancelled before anything was sent."""
    ShippingEvent = get_model("order", "ShippingEvent")
    OrderStatusChange = get_model("order", "OrderStatusChange")
    sent = Exists(ShippingEvent.objects.filter(order=OuterRef("pk"))) | Exists(
        OrderStatusChange.objects.filter(order=OuterRef("pk"), new_status__in=conf.shipped_statuses())
    )
    return Q(status__in=conf.cancelled_statuses()) & ~Q(sent)


def address_key(
    line1: str, line2: str, line3: str, line4: str, postcode: str, country: str
) -> tuple[str, str, str]:
    """An address to compare: letters and digits without case and accents; the town where there is no postcode."""
    street = _bare(f"{line1}{line2}{line3}")
    return street, _bare(postcode or "") or _bare(line4 or ""), country or ""


def _bare(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


# Facts


@dataclass
class _Record:
    """What is stored about one order, as far as facts need it."""

    status: str
    placed_at: datetime
    shipping: Decimal
    needs_delivery: bool
    # line id -> (quantity, price with tax after discounts, cancelled)
    lines: dict[int, tuple[int, Decimal, bool]] = field(default_factory=dict)
    # status -> when the order came to it, the last time
    reached: dict[str, datetime] = field(default_factory=dict)
    # When something was first paid, by a payment event.
    first_payment: datetime | None = None
    # payment event that gave something back -> how much
    refunds: dict[int, Decimal] = field(default_factory=dict)
    # payment event that gave something back -> line id -> for how many pieces
    refunded_pieces: dict[int, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    refunded_by_sources: Decimal = NOTHING
    # line id (None: no lines were named) -> when it was first sent
    sent: dict[int | None, datetime] = field(default_factory=dict)

    def goods(self) -> Decimal:
        return sum((price for _quantity, price, _cancelled in self.lines.values()), NOTHING)


def read_facts(references: Sequence[str]) -> dict[str, Facts]:
    """The facts of these orders by number; unknown ones are left out. 7 queries."""
    Order = get_model("order", "Order")
    Line = get_model("order", "Line")
    cancelled = conf.cancelled_statuses()
    without_delivery = get_class("shipping.methods", "NoShippingRequired").code

    numbers: dict[int, str] = {}
    records: dict[int, _Record] = {}
    orders = Order._default_manager.filter(number__in=list(references)).values_list(
        "pk", "number", "status", "date_placed", "shipping_incl_tax", "shipping_code"
    )
    for pk, number, status, placed_at, shipping, shipping_code in orders:
        numbers[pk] = number
        records[pk] = _Record(status, placed_at, shipping, shipping_code != without_delivery)
    if not records:
        return {}
    ids = list(records)
    for order_id, line_id, quantity, price, status in Line._default_manager.filter(order__in=ids).values_list(
        "order_id", "pk", "quantity", "line_price_incl_tax", "status"
    ):
        records[order_id].lines[line_id] = (quantity, price, status in cancelled)
    _read_status_changes(records, ids)
    _read_payments(records, ids)
    _read_shipments(records, ids)
    return {numbers[pk]: _facts(record) for pk, record in records.items()}


def _read_status_changes(records: dict[int, _Record], ids: list[int]) -> None:
    changes = (
        get_model("order", "OrderStatusChange").objects.filter(order__in=ids).order_by("date_created", "pk")
    )
    for order_id, status, moment in changes.values_list("order_id", "new_status", "date_created"):
        records[order_id].reached[status] = moment


def _read_payments(records: dict[int, _Record], ids: list[int]) -> None:
    """Two records that nothing links: payment events, with or without lines, and what the sources say."""
    refund_codes = conf.refund_event_codes()
    events = get_model("order", "PaymentEvent").objects.filter(order__in=ids).order_by("date_created", "pk")
    for event_id, order_id, code, amount, moment in events.values_list(
        "pk", "order_id", "event_type__code", "amount", "date_created"
    ):
        record = records[order_id]
        if code in refund_codes:
            record.refunds[event_id] = amount
        elif record.first_payment is None:
            record.first_payment = moment
    pieces = get_model("order", "PaymentEventQuantity").objects.filter(
        event__order__in=ids, event__event_type__code__in=refund_codes
    )
    for order_id, event_id, line_id, quantity in pieces.values_list(
        "event__order_id", "event_id", "line_id", "quantity"
    ):
        by_line = records[order_id].refunded_pieces[event_id]
        by_line[line_id] = by_line.get(line_id, 0) + quantity
    sources = get_model("payment", "Source").objects.filter(order__in=ids)
    for order_id, amount in sources.values_list("order_id", "amount_refunded"):
        records[order_id].refunded_by_sources += amount


def _read_shipments(records: dict[int, _Record], ids: list[int]) -> None:
    events = get_model("order", "ShippingEvent").objects.filter(order__in=ids).order_by("date_created", "pk")
    for order_id, line_id, moment in events.values_list(
        "order_id", "line_quantities__line_id", "date_created"
    ):
        records[order_id].sent.setdefault(line_id, moment)


def _facts(record: _Record) -> Facts:
    cancelled = record.status in conf.cancelled_statuses() or (
        bool(record.lines) and all(gone for _quantity, _price, gone in record.lines.values())
    )
    paid_at = _paid_at(record)
    refunded, refunded_lines = _refunded(record)
    return Facts(
        paid_at=paid_at,
        shipped_at=_shipped_at(record, cancelled, paid_at),
        cancelled=cancelled,
        refunded=refunded,
        refunded_lines=refunded_lines,
    )


def _first(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _paid_at(record: _Record) -> datetime | None:
    """When the order was paid, if it is: its change of status, else its first payment event, else its placing."""
    statuses = conf.paid_statuses()
    if record.status not in statuses | conf.shipped_statuses() | conf.refunded_statuses():
        return None
    reached = _first(record.reached.get(status) for status in statuses)
    return reached or record.first_payment or record.placed_at


def _shipped_at(record: _Record, cancelled: bool, paid_at: datetime | None) -> datetime | None:
    """When everything had left the shop, if it has.

    Best first: the shipping events, line by line; the change of status; the placing of the order. What was sent once
    stays sent when the order is cancelled or given back later.
    """
    if not record.needs_delivery:
        return paid_at
    statuses = conf.shipped_statuses()
    is_shipped = record.status in statuses
    reached = _first(record.reached.get(status) for status in statuses)
    ended = cancelled or record.status in conf.refunded_statuses()
    if not is_shipped and not (ended and (reached is not None or record.sent)):
        return None
    by_line = [moment for line_id, moment in record.sent.items() if line_id is not None]
    # A later event, a return for instance, moves nothing: each line counts when it left first.
    by_event = max(by_line, default=None) or record.sent.get(None)
    return by_event or reached or record.placed_at


def _refunded(record: _Record) -> tuple[Decimal, dict[str, Decimal]]:
    """What was given back of the goods, and of which lines; from totals only, whatever the order of the refunds.

    What is known by line (pieces refunded, lines cancelled) counts as it is. The rest of the money given back counts as
    goods too, unless it is exactly the delivery charge.
    """
    goods = record.goods()
    if record.status in conf.refunded_statuses():
        return goods, {str(line_id): price for line_id, (_quantity, price, _gone) in record.lines.items()}
    by_line = dict.fromkeys(record.lines, NOTHING)
    for event_id, money in record.refunds.items():
        for line_id, part in _shares(record, event_id, money):
            by_line[line_id] += part
    for line_id, (_quantity, price, is_cancelled) in record.lines.items():
        by_line[line_id] = price if is_cancelled else min(by_line[line_id], price)
    known = sum(by_line.values(), NOTHING)
    money = max(sum(record.refunds.values(), NOTHING), record.refunded_by_sources)
    other = money - known
    if other <= 0 or other == record.shipping:
        other = NOTHING
    return min(known + other, goods), {str(line_id): part for line_id, part in by_line.items() if part}


def _shares(record: _Record, event_id: int, money: Decimal) -> Iterator[tuple[int, Decimal]]:
    """What one refund gave back of which lines.

    Pieces may be taken back for less than they cost, and then each for less in proportion; never for more.
    """
    worth: dict[int, Decimal] = {}
    for line_id, pieces in record.refunded_pieces.get(event_id, {}).items():
        quantity, price, _cancelled = record.lines.get(line_id, (0, NOTHING, False))
        if quantity and pieces > 0:
            worth[line_id] = (price * min(pieces, quantity) / quantity).quantize(NOTHING)
    left, total = min(money, sum(worth.values(), NOTHING)), sum(worth.values(), NOTHING)
    for line_id, value in sorted(worth.items()):
        # The last one gets what is left, so that no cent is lost.
        part = left if value >= total else (left * value / total).quantize(NOTHING)
        left, total = left - part, total - value
        yield line_id, part
