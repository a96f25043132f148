"""How a membership begins and goes on: what an order bought, what a reward or staff gave; how it is taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from oscar.core.loading import get_model

from oscar_integration.memberships.codes import new_code
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.settle import BOUGHT, lock, settle, settle_locked
from oscar_integration.shop import read_facts
from wagtail_referrals.referrals.models import Purchase

logger = logging.getLogger("oscar_integration")

State = Membership.State
Kind = Period.Kind
Origin = Period.Origin
# How often a period is tried anew where another process came first.
_TRIES: Final = 5
# For so long an order that is not paid yet makes the next one an extension.
_BEING_PAID: Final = timedelta(days=1)
# How far back orders are looked at whose membership was missed, and how long the checkout has for doing it itself.
LOOK_BACK: Final = timedelta(days=30)
IN_THE_MAKING: Final = timedelta(minutes=5)


def kind_for(user: Any, plan: Plan, now: datetime) -> Period.Kind:
    """What buying this plan is for this customer (``None``: a guest) at this moment. 1 query.

    A new membership, unless one runs that was bought. A trial is none, nor is one that was only given.
    """
    if user is None:
        return Kind.NEW
    bought = Period.objects.filter(
        Q(counts_from__isnull=False) | Q(created_at__gt=now - _BEING_PAID),
        membership=OuterRef("pk"),
        origin__in=BOUGHT,
        taken_back_at=None,
    )
    running = Membership.objects.filter(Exists(bought), user=user).exclude(state=State.ENDED)
    running = running.filter(Q(access_until=None) | Q(access_until__gt=now))
    running = running.filter(plan=plan) if plan.is_trial else running.filter(plan__is_trial=False)
    return Kind.EXTENSION if running.exists() else Kind.NEW


def add_period(
    *,
    user: Any,
    plan: Plan,
    key: str,
    origin: str,
    now: datetime,
    counts_from: datetime | None,
    kind: str | None = None,
    membership: Membership | None = None,
    order_number: str = "",
    line_id: int | None = None,
    piece: int = 0,
    reward_id: int | None = None,
    given_by: Any = None,
) -> Period:
    """Give the customer one more period of ``plan``: of ``membership``, else of the one they have, else of a new one.

    ``key`` is the idempotency key: called again with it, the first period is returned. ``counts_from``: when it was
    paid or given, ``None`` while its order is not paid; it runs from then or from the end of the period before it.
    ``user`` ``None`` is a guest, whose periods of one order are one membership. Locks the membership and settles it.
    """
    tries = 0
    while True:
        found = Period.objects.select_related("membership").filter(key=key).first()
        if found is not None:
            return found
        try:
            with transaction.atomic():
                # What was earned or given charges nobody before they want it to go on.
                renews = plan.renews and origin in BOUGHT
                owner = _locked_for(user, plan, membership, order_number, renews, now)
                if kind is None:
                    kind = kind_for(user, plan, now)
                period = Period.objects.create(
                    membership=owner,
                    key=key,
                    origin=origin,
                    kind=kind,
                    order_number=order_number,
                    line_id=line_id,
                    piece=piece,
                    reward_id=reward_id,
                    given_by=given_by,
                    length=plan.period_length,
                    unit=plan.period_unit,
                    uses=plan.uses,
                    ends_used_up=not owner.plan.renews,
                    counts_from=counts_from,
                    created_at=now,
                )
                settle_locked(owner, now=now)
                period.refresh_from_db()
                return period
        except IntegrityError:
            # Another process was faster: with this period, or with the first membership of this customer.
            tries += 1
            if tries == _TRIES or not _came_meanwhile(user, plan, key):
                raise


def _came_meanwhile(user: Any, plan: Plan, key: str) -> bool:
    if Period.objects.filter(key=key).exists():
        return True
    running = Membership.objects.filter(user=user, plan=plan).exclude(state=State.ENDED)
    return user is not None and running.exists()


def _locked_for(
    user: Any, plan: Plan, membership: Membership | None, order_number: str, renews: bool, now: datetime
) -> Membership:
    """The membership that the period joins, locked; a new one if there is none that still runs."""
    if membership is not None:
        found = lock(membership.pk)
    elif user is None:
        same_order = Membership.objects.filter(user=None, plan=plan, periods__order_number=order_number)
        pk = same_order.exclude(state=State.ENDED).values_list("pk", flat=True).first()
        found = lock(pk) if pk is not None else None
    else:
        running = Membership.objects.filter(user=user, plan=plan).exclude(state=State.ENDED)
        pk = running.values_list("pk", flat=True).first()
        found = lock(pk) if pk is not None else None
        if found is not None and found.access_until is not None and found.access_until <= now:
            # Its end was not noted yet.
            settle_locked(found, now=now)
    if found is not None and (membership is not None or found.state != State.ENDED):
        return found
    return Membership.objects.create(user=user, plan=plan, code=new_code(), renews=renews, created_at=now)


def take_back(period: Period, reason: str, *, now: datetime) -> Period:
    """Take back what is left of a period; once, whatever the reason is later. Locks the membership and settles it.

    ``reason`` is one of ``Membership.Reason``. What had been used already of a reward is noted as still to recover.
    """
    with transaction.atomic():
        membership = lock(period.membership_id)
        if membership is not None:
            Period.objects.filter(pk=period.pk, taken_back_at=None).update(
                taken_back_at=now, taken_back_reason=reason
            )
            settle_locked(membership, now=now)
    period.refresh_from_db()
    return period


# Orders


def plans_of_products(product_ids: set[int]) -> dict[int, Plan]:
    """The plan that each of these products sells, a variant's parent's included. 1 query; none without a product."""
    if not product_ids:
        return {}
    Product = get_model("catalogue", "Product")
    plans = {plan.product_id: plan for plan in Plan.objects.filter(product__isnull=False)}
    if not plans:
        return {}
    found = {pk: plans[pk] for pk in product_ids if pk in plans}
    rest = product_ids - set(found)
    if rest and Product._default_manager.filter(pk__in=plans, structure=Product.PARENT).exists():
        variants = Product._default_manager.filter(pk__in=rest, parent__in=plans)
        found |= {pk: plans[parent] for pk, parent in variants.values_list("pk", "parent_id")}
    return found


def lines_with_plans(order: Any) -> Iterator[tuple[Any, Plan]]:
    """The order's lines that sell a membership. 2 queries."""
    lines = list(order.lines.all())
    plans = plans_of_products({line.product_id for line in lines if line.product_id is not None})
    for line in lines:
        if line.product_id in plans:
            yield line, plans[line.product_id]


def kinds_of(order: Any, sold: Sequence[tuple[Any, Plan]], *, now: datetime) -> dict[int, str]:
    """What each line that sells a membership is for the customer, by the lines' primary keys.

    3 queries, with one more for each plan for trying out and one for all others. Asked once more it stays the same:
    what its period says, else what was frozen for the engine's rules, else what it is at this moment. Nothing is
    locked.
    """
    number = str(order.number)
    known = dict(Period.objects.filter(order_number=number, piece=0).values_list("line_id", "kind"))
    frozen = Purchase.objects.filter(reference=number).values_list("lines", flat=True).first() or []
    told = {line["line"]: line["membership"]["kind"] for line in frozen if "membership" in line}
    is_renewals = is_renewal(order)
    found: dict[int, str] = {}
    for line, plan in sold:
        kind = known.get(line.pk) or told.get(line.pk)
        if kind is None and is_renewals:
            kind = Kind.RENEWAL
        if kind is None:
            kind = Kind.EXTENSION if _follows(plan, sold, found) else kind_for(order.user, plan, now)
        found[line.pk] = str(kind)
    return found


def _follows(plan: Plan, sold: Sequence[tuple[Any, Plan]], found: dict[int, str]) -> bool:
    """Is there an earlier line of the same order that it only prolongs, or that made the customer a member?"""
    earlier = [other for line, other in sold if line.pk in found]
    return any(other.pk == plan.pk or not (other.is_trial or plan.is_trial) for other in earlier)


def open_for_order(order: Any, *, now: datetime | None = None) -> list[Period]:
    """What the order bought: a period for each piece of a plan's product, which runs once the order is paid.

    All of it or nothing. Called again, it changes nothing. An order of a guest opens a membership that waits for an
    account. A renewal's order brings its period itself.
    """
    moment = now or timezone.now()
    periods: list[Period] = []
    sold = list(lines_with_plans(order))
    if not sold or is_renewal(order):
        return periods
    with transaction.atomic():
        if order.user is not None:
            # All at once, before a customer is locked: their other memberships are settled at any time.
            plans = {plan.pk for _line, plan in sold}
            running = Membership.objects.filter(user=order.user, plan__in=plans).exclude(state=State.ENDED)
            list(running.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        kinds = kinds_of(order, sold, now=moment)
        for line, plan in sold:
            first = add_period(
                user=order.user,
                plan=plan,
                key=_line_key(line.pk, 0),
                origin=Origin.ORDER,
                # Of several pieces the first one decides what was bought, the others prolong it.
                kind=kinds[line.pk],
                now=moment,
                counts_from=None,
                order_number=str(order.number),
                line_id=line.pk,
            )
            periods += [first, *_more_pieces(first, plan, line.quantity, moment)]
    return periods


def _line_key(line_id: int, piece: int) -> str:
    return f"line:{line_id}:{piece}"


def _more_pieces(first: Period, plan: Plan, quantity: int, now: datetime) -> list[Period]:
    """The periods of the line's other pieces. However many there are, the membership is settled once."""
    rest = Period.objects.filter(order_number=first.order_number, line_id=first.line_id, piece__gt=0)
    known = list(rest.order_by("piece"))
    if len(known) >= quantity - 1:
        return known
    Period.objects.bulk_create(
        [
            Period(
                membership_id=first.membership_id,
                key=_line_key(first.line_id or 0, piece),
                origin=first.origin,
                kind=Kind.EXTENSION,
                order_number=first.order_number,
                line_id=first.line_id,
                piece=piece,
                length=plan.period_length,
                unit=plan.period_unit,
                uses=plan.uses,
                ends_used_up=first.ends_used_up,
                created_at=now,
            )
            for piece in range(1, quantity)
        ],
        ignore_conflicts=True,
    )
    settle(first.membership_id, now=now)
    return list(rest.order_by("piece"))


def adopt(user: Any, order_number: str, *, now: datetime) -> list[Membership]:
    """The account has what a guest bought with this order; the memberships. Whether it is theirs, the caller knows.

    What was paid before runs from now on: nobody could use it until now. Idempotent.
    """
    found = []
    bought = Membership.objects.filter(user=None, starts_at=None, periods__order_number=order_number)
    waiting = bought.exclude(state=State.ENDED).order_by("pk").distinct()
    for pk, plan_id in list(waiting.values_list("pk", "plan")):
        tries = 0
        while True:
            try:
                with transaction.atomic():
                    membership = _adopt(user, pk, plan_id, now)
                break
            except IntegrityError:
                # The account has got one of this plan meanwhile.
                tries += 1
                if tries == _TRIES:
                    raise
        if membership is not None:
            found.append(membership)
    return found


def _adopt(user: Any, pk: int, plan_id: int, now: datetime) -> Membership | None:
    running = Membership.objects.filter(user=user, plan=plan_id).exclude(state=State.ENDED)
    both = Membership.objects.select_for_update(no_key=True).filter(Q(pk=pk) | Q(pk__in=running.values("pk")))
    locked = {membership.pk: membership for membership in both.order_by("pk")}
    guests = locked.pop(pk, None)
    if guests is None or guests.user_id is not None:
        return None
    unpaid = guests.periods.filter(counts_from=None, taken_back_at=None)
    facts = read_facts(sorted(set(unpaid.values_list("order_number", flat=True))))
    paid = [number for number, fact in facts.items() if fact.paid_at is not None]
    unpaid.filter(order_number__in=paid).update(counts_from=now)
    own = next((membership for membership in locked.values() if membership.state != State.ENDED), None)
    if own is None:
        guests.user = user
        guests.save(update_fields=["user"])
        return settle(pk, now=now)
    guests.periods.update(membership=own)
    guests.delete()
    return settle(own.pk, now=now)


def is_renewal(order: Any) -> bool:
    """Was the order made by a renewal? Its number is fixed before it is made. 1 query."""
    return Renewal.objects.filter(order_number=str(order.number)).exists()


def missed_orders(now: datetime) -> list[Any]:
    """Orders of the last days with a plan's product of which no period is there. 2 queries; 1 without plans.

    What was ordered before the product had its plan is not the plan's.
    """
    since = dict(Plan.objects.filter(product__isnull=False).values_list("product", "sold_since"))
    if not since:
        return []
    of_plans = Q()
    for product_id, moment in since.items():
        of_plans |= Q(product=product_id, order__date_placed__gte=moment)
        of_plans |= Q(product__parent=product_id, order__date_placed__gte=moment)
    sold = get_model("order", "Line")._default_manager.filter(of_plans, order=OuterRef("pk"))
    known = Period.objects.filter(order_number=OuterRef("number"))
    renewals = Renewal.objects.filter(order_number=OuterRef("number"))
    orders = get_model("order", "Order")._default_manager.filter(
        Exists(sold),
        ~Exists(known),
        ~Exists(renewals),
        date_placed__gte=now - LOOK_BACK,
        date_placed__lte=now - IN_THE_MAKING,
    )
    return list(orders.select_related("user").order_by("date_placed", "pk"))


def open_missed(now: datetime) -> int:
    """Open what a receiver could not open when the order was placed; how many orders. One that fails is logged."""
    count = 0
    for order in missed_orders(now):
        try:
            with transaction.atomic():
                count += bool(open_for_order(order, now=now))
        except Exception:
            logger.exception("Order #%s: its membership could not be opened", order.number)
    return count
