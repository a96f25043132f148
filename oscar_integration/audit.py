"""The part of the audit that knows Oscar: payments with credit, and our discounts against vouchers and orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_integration import conf, vouchers
from oscar_integration.capture import SOURCE_CODE
from wagtail_referrals.audit import Check, Finding, Problem, Run, amount_finding, checks
from wagtail_referrals.credit.models import Entry, Reservation
from wagtail_referrals.rewards.models import DiscountGrant

NOTHING: Final = Decimal("0.00")
BATCH: Final = 500
# Conditions of offers that ask the engine before they let a voucher take anything off.
ASKING: Final = [
    f"{condition.__module__}.{condition.__qualname__}"
    for condition in (vouchers.PersonalCondition, vouchers.GiftCondition)
]

PAYMENT = Problem(
    "payment_source",
    _("Orders whose payment with credit is not what the credit account says"),
    _(
        "The credit account is right. Correct the order's payment source in the shop's dashboard; give credit back "
        "with refund_credit, which writes both."
    ),
)
NO_ORDER = Problem(
    "credit_without_order",
    _("Credit that was spent on orders the shop does not have"),
    _("If there is no such order, give the credit back by an adjustment."),
)
NO_CREDIT = Problem(
    "source_without_credit",
    _("Payments with credit that no credit account knows"),
    _("Somebody wrote the payment source by hand: the order is not paid for. Find out what was meant."),
)
STILL_HELD = Problem(
    "order_not_captured",
    _("Orders whose credit is still set aside"),
    _('Does "manage.py referrals_sweep" run? It spends what an order was paid with.'),
    overdue=True,
)
NOT_RETURNED = Problem(
    "credit_not_returned",
    _("Cancelled orders whose credit has not gone back"),
    _('Does "manage.py referrals_sweep" run? It gives it back.'),
    overdue=True,
)
USABLE = Problem(
    "void_discount_usable",
    _("Discounts that were withdrawn here and can be used in the shop"),
    _(
        "The voucher hangs on an offer that does not ask us. Take it off that offer, or end it, in the dashboard."
    ),
)
USED_NOWHERE = Problem(
    "discount_in_no_order",
    _("Discounts that were used here, and in no order"),
    _("Compare the order's discounts with the timeline of the referral."),
)
USED_UNNOTED = Problem(
    "discount_unnoted",
    _("Discounts that an order used and that are not used here"),
    _("The order could not be attributed. Look into the log of that day."),
)
USED_TWICE = Problem(
    "discount_twice",
    _("Discounts that several orders used"),
    _("A voucher of ours is for one order. Compare the orders; one of them got it wrongly."),
)


def register() -> None:
    """Called once, from the app's ``ready``."""
    checks.register(Check("payments", _("Payments with credit"), find_payments, payment_rows))
    checks.register(Check("vouchers", _("Discounts and vouchers"), find_vouchers, voucher_rows))


# Payments with credit


def payment_rows() -> int:
    return Reservation.objects.filter(state=Reservation.State.CAPTURED).count()


def find_payments(run: Run) -> Iterator[Finding]:
    captured = (
        Reservation.objects.filter(state=Reservation.State.CAPTURED)
        .order_by("pk")
        .values_list("pk", "order_number", "amount", "account__currency")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(captured, BATCH)):
        run.look_at("payments", len(batch))
        yield from _payments(batch)
    yield from _sources_without_credit()
    yield from _still_held(run)
    yield from _not_returned(run)


def _payments(batch: Sequence[tuple[Any, ...]]) -> Iterator[Finding]:
    given_back: dict[int, Decimal] = {}
    refunds = Entry.objects.filter(kind=Entry.Kind.REFUND, reservation__in=[row[0] for row in batch])
    for pk, amount, shortfall in refunds.values_list("reservation_id", "amount", "shortfall_delta"):
        given_back[pk] = given_back.get(pk, NOTHING) + amount - shortfall
    numbers = [row[1] for row in batch]
    orders = set(
        get_model("order", "Order")
        ._default_manager.filter(number__in=numbers)
        .values_list("number", flat=True)
    )
    sources: dict[str, tuple[Decimal, Decimal, str]] = {}
    for number, debited, refunded, currency in (
        get_model("payment", "Source")
        .objects.filter(order__number__in=numbers, source_type__code=SOURCE_CODE)
        .values_list("order__number", "amount_debited", "amount_refunded", "currency")
    ):
        before = sources.get(number, (NOTHING, NOTHING, currency))
        sources[number] = (before[0] + debited, before[1] + refunded, currency)
    for pk, number, amount, currency in batch:
        back = given_back.get(pk, NOTHING)
        if number not in orders:
            if amount > back:
                message = _("Order %(number)s does not exist: %(expected)s of credit were spent on it.")
                yield amount_finding(
                    NO_ORDER,
                    "order",
                    number,
                    message,
                    expected=amount - back,
                    found=NOTHING,
                    currency=currency,
                )
            continue
        debited, refunded, unit = sources.get(number, (NOTHING, NOTHING, currency))
        if unit != currency:
            words = gettext("Order %(number)s: the payment is in %(found)s, the credit in %(expected)s.")
            values = {"number": number, "found": unit, "expected": currency}
            yield Finding(PAYMENT, "order", number, words % values, currency, unit, currency)
        for name, right, found in ((_("paid"), amount, debited), (_("given back"), back, refunded)):
            if right != found:
                yield amount_finding(
                    PAYMENT,
                    "order",
                    number,
                    _(
                        "Order %(number)s: its payment says that %(found)s were %(what)s, the account %(expected)s."
                    ),
                    what=name,
                    expected=right,
                    found=found,
                    currency=currency,
                )


def _sources_without_credit() -> Iterator[Finding]:
    spent = Reservation.objects.filter(
        order_number=OuterRef("order__number"), state=Reservation.State.CAPTURED
    )
    sources = get_model("payment", "Source").objects.filter(~Exists(spent), source_type__code=SOURCE_CODE)
    for number, debited, currency in (
        sources.order_by("pk")
        .values_list("order__number", "amount_debited", "currency")
        .iterator(chunk_size=BATCH)
    ):
        message = _("Order %(number)s: %(found)s are listed as paid with credit, and no account spent them.")
        yield amount_finding(
            NO_CREDIT, "order", number, message, expected=NOTHING, found=debited, currency=currency
        )


def _still_held(run: Run) -> Iterator[Finding]:
    """Set aside for an order that is there and lacks the very amount: the sweep spends it before it expires."""
    held = Reservation.objects.filter(state=Reservation.State.ACTIVE).select_related("account")
    for reservation in held.order_by("pk").iterator(chunk_size=BATCH):
        order = (
            get_model("order", "Order")
            ._default_manager.filter(number=reservation.order_number, user__isnull=False)
            .annotate(paid=Sum("sources__amount_allocated"))
            .first()
        )
        if order is None or (order.paid or NOTHING) + reservation.amount != order.total_incl_tax:
            continue
        if run.is_late(order.date_placed):
            yield amount_finding(
                STILL_HELD,
                "order",
                str(order.number),
                _("Order %(number)s lacks %(expected)s that are set aside for it."),
                expected=reservation.amount,
                found=NOTHING,
                currency=reservation.account.currency,
            )


def _not_returned(run: Run) -> Iterator[Finding]:
    changed = get_model("order", "OrderStatusChange").objects.filter(
        order=OuterRef("order"), new_status=OuterRef("order__status")
    )
    open_ones = (
        get_model("payment", "Source")
        .objects.filter(
            source_type__code=SOURCE_CODE,
            amount_refunded__lt=F("amount_debited"),
            order__status__in=conf.cancelled_statuses(),
            order__user__isnull=False,
        )
        .annotate(
            since=Coalesce(
                Subquery(changed.order_by("-pk").values("date_created")[:1]), F("order__date_placed")
            )
        )
        .order_by("pk")
        .values_list("order__number", "currency", "amount_debited", "amount_refunded", "since")
    )
    for number, currency, debited, refunded, since in open_ones.iterator(chunk_size=BATCH):
        if run.is_late(since):
            message = _("Order %(number)s was cancelled: %(expected)s are to go back, %(found)s have.")
            yield amount_finding(
                NOT_RETURNED, "order", number, message, expected=debited, found=refunded, currency=currency
            )


# Discounts


def voucher_rows() -> int:
    return DiscountGrant.objects.exclude(code="").count()


def find_vouchers(run: Run) -> Iterator[Finding]:
    grants = (
        DiscountGrant.objects.exclude(code="")
        .order_by("pk")
        .values_list("pk", "code", "state", "used_reference")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(grants, BATCH)):
        run.look_at("vouchers", len(batch))
        yield from _withdrawn(run, [row for row in batch if row[2] == DiscountGrant.State.VOID])
        yield from _used([row for row in batch if row[2] == DiscountGrant.State.USED])
    yield from _in_orders(run)


def _withdrawn(run: Run, batch: Sequence[tuple[Any, ...]]) -> Iterator[Finding]:
    """Oscar may bring a voucher's dates back by saving it over; what hangs on our offers asks us, and is refused."""
    if not batch:
        return
    numbers = {code: pk for pk, code, _state, _reference in batch}
    Voucher = get_model("voucher", "Voucher")
    strange = Voucher.offers.through.objects.filter(voucher=OuterRef("pk")).exclude(
        conditionaloffer__condition__proxy_class__in=ASKING
    )
    usable = Voucher.objects.filter(
        Exists(strange), code__in=numbers, start_datetime__lte=run.now, end_datetime__gt=run.now
    )
    for code in usable.order_by("pk").values_list("code", flat=True):
        words = gettext(
            "Discount %(number)s was withdrawn, and its voucher %(code)s still takes something off."
        )
        yield Finding(USABLE, "discount", numbers[code], words % {"number": numbers[code], "code": code})


def _used(batch: Sequence[tuple[Any, ...]]) -> Iterator[Finding]:
    if not batch:
        return
    wanted = {code: (pk, reference) for pk, code, _state, reference in batch}
    orders = get_model("order", "Order")._default_manager.filter(number__in=[row[3] for row in batch])
    there = set(orders.values_list("number", flat=True))
    discounts = get_model("order", "OrderDiscount").objects.filter(voucher_code__in=wanted)
    found = set(discounts.values_list("voucher_code", "order__number"))
    for code, (pk, reference) in wanted.items():
        if reference in there and (code, reference) not in found:
            words = gettext("Discount %(number)s was used in order %(order)s, which has no such discount.")
            yield Finding(USED_NOWHERE, "discount", pk, words % {"number": pk, "order": reference}, reference)


def _in_orders(run: Run) -> Iterator[Finding]:
    OrderDiscount = get_model("order", "OrderDiscount")
    ours = OrderDiscount.objects.filter(voucher_code__startswith=vouchers.PREFIX, amount__gt=0)
    several = ours.order_by().values("voucher_code").annotate(orders=Count("order", distinct=True))
    for row in several.filter(orders__gt=1).iterator(chunk_size=BATCH):
        words = gettext("The voucher %(voucher_code)s took something off %(orders)s orders.")
        yield Finding(USED_TWICE, "voucher", row["voucher_code"], words % row, "1", str(row["orders"]))
    noted = DiscountGrant.objects.filter(
        code=OuterRef("voucher_code"),
        state=DiscountGrant.State.USED,
        used_reference=OuterRef("order__number"),
    )
    # One that is noted for another order is said above.
    elsewhere = DiscountGrant.objects.filter(code=OuterRef("voucher_code"), state=DiscountGrant.State.USED)
    unnoted = ours.filter(~Exists(noted), ~Exists(elsewhere)).order_by("pk")
    for code, number, placed_at in unnoted.values_list(
        "voucher_code", "order__number", "order__date_placed"
    ).iterator(chunk_size=BATCH):
        if run.is_late(placed_at):
            words = gettext("Order %(number)s used the voucher %(code)s, and the discount is not used here.")
            yield Finding(USED_UNNOTED, "order", number, words % {"number": number, "code": code})
