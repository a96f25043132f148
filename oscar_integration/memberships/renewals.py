"""How a membership goes on by itself: planned, announced, charged, placed as an order; or refused, tried again, ended.

A renewal is one row from its plan to its order, and each step of an attempt is committed before the next one:

1. Its basket is filled and frozen, its order number, total, credit and charge are written down, the credit is set
   aside, and this worker has it for the time of the lease.
2. The card is charged under a key, in no transaction; nobody is asked where credit pays everything.
3. In one transaction the order is placed, which spends the credit, and the membership gets its period.

Whoever dies in between leaves it "being charged": once the lease is over the next one asks again with the same key, and
places the same order. Only a definite no (``CardDeclined``) ends an attempt. Nothing is charged that was not announced,
and never more than that.

Locks: the renewal, then what the ledger and the membership lock. Nobody waits for a renewal while holding a membership.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from oscar_integration.memberships import announcing, placing
from oscar_integration.memberships.announcing import CARD, NO_CARD, SHOP
from oscar_integration.memberships.charging import Card, CardDeclined, Charge, ChargeRequest, renewal_cards
from oscar_integration.memberships.models import Membership, Period, Plan, Renewal
from oscar_integration.memberships.opening import add_period
from oscar_integration.memberships.placing import CannotRenew, Priced
from oscar_integration.memberships.settle import lock, orders_have_changed, settle, wants_renewal
from oscar_integration.split import Split
from wagtail_referrals import credit, rewards

logger = logging.getLogger("oscar_integration")

State = Renewal.State
NOTHING: Final = Decimal("0.00")
# For so long a worker has a renewal to itself: much longer than a charge takes.
LEASE: Final = timedelta(minutes=15)
# What is set aside of credit outlives a worker that died, and the sweeps that fail after it.
SET_ASIDE: Final = timedelta(days=1)
# When a renewal that failed for a reason unknown to us, before anything was charged, is looked at again.
RETRY: Final = timedelta(hours=1)
# The sweep runs at least that often.
SWEEPS: Final = timedelta(days=1)
_RUNNING: Final = (Membership.State.ACTIVE, Membership.State.PAST_DUE)


@dataclass(frozen=True)
class Forecast:
    """What the next renewal would cost at present, and how it would be paid. Amounts in ``currency``, tax included.

    ``credit_left`` is all the credit that pays renewals, ``credit`` what of it this one takes; ``card`` is how the
    customer knows the card, "" where there is none or none is needed.
    """

    due_at: datetime
    currency: str
    total: Decimal
    credit: Decimal
    charge: Decimal
    card: str
    credit_left: Decimal


@dataclass(frozen=True)
class _Wallet:
    """The customer's card as the shop knows it; ``reason`` says to the customer why none can be charged, if so."""

    card: Card | None
    reason: str = ""


@dataclass(frozen=True)
class _Attempt:
    """What a worker has taken on: ``request`` is None where credit pays everything."""

    renewal: Renewal
    request: ChargeRequest | None


# The sweep


def renew_due(now: datetime | None = None) -> None:
    """Plan, announce and renew what is due. Any number at once; one that fails keeps no other one waiting."""
    moment = now or timezone.now()
    begun = time.monotonic()
    _guarded("Planning renewals", partial(plan_renewals, moment))
    for pk in _stale():
        _guarded(f"Following the membership of renewal {pk}", partial(_follow, pk, moment))
    for pk in _to_announce(moment):
        _guarded(f"Announcing renewal {pk}", partial(_announce, pk, moment))
    for pk in _due(moment):
        # A sweep that takes its time must not hand out leases that are over already.
        elapsed = timedelta(seconds=time.monotonic() - begun)
        _guarded(f"Renewal {pk}", partial(renew, pk, now=moment, elapsed=elapsed))


def _guarded(what: str, work: Callable[[], Any]) -> None:
    try:
        work()
    except Exception:
        logger.exception("%s failed", what)


# Planning


def plan_renewals(now: datetime, membership_id: int | None = None) -> None:
    """See to it that each membership that goes on by itself has its one open renewal. 1 query, and 3 for new ones."""
    planned = Renewal.objects.filter(membership=OuterRef("pk"), state__in=Renewal.OPEN)
    rows = Membership.objects.filter(
        ~Exists(planned),
        state__in=_RUNNING,
        renews=True,
        plan__renews=True,
        plan__product__isnull=False,
        ends_at__isnull=False,
        user__isnull=False,
    )
    if membership_id is not None:
        rows = rows.filter(pk=membership_id)
    wanting = [row for row in rows.select_related("user", "plan") if wants_renewal(row)]
    if not wanting:
        return
    last: dict[int, Renewal] = {}
    for renewal in Renewal.objects.filter(membership__in=[row.pk for row in wanting]).order_by("number"):
        last[renewal.membership_id] = renewal
    again: list[int] = []
    new: list[Renewal] = []
    for membership in wanting:
        before, ends_at = last.get(membership.pk), membership.ends_at
        assert ends_at is not None
        if before is not None and before.due_at >= ends_at:
            # The end that it was for, or a later one: paid or given up once, never again; called off, it can come back.
            if before.state == State.CALLED_OFF and before.due_at == ends_at:
                again.append(before.pk)
                continue
            if before.state != State.CALLED_OFF:
                continue
        new.append(
            Renewal(
                membership=membership,
                number=(before.number if before is not None else 0) + 1,
                due_at=ends_at,
                next_attempt_at=ends_at,
                created_at=now,
            )
        )
    if again:
        _take_on_again(again)
    # Another worker may have been faster.
    Renewal.objects.bulk_create(new, ignore_conflicts=True)
    # The doors stay open until it has been tried, also where the plan has no time of grace.
    Membership.objects.filter(pk__in=[row.membership_id for row in new]).update(next_check_at=now)


def _take_on_again(ids: list[int]) -> None:
    """The customer has changed their mind: what was announced for this day still holds."""
    for renewal in Renewal.objects.filter(pk__in=ids).select_related("membership__plan"):
        others = Renewal.objects.filter(membership=renewal.membership_id, state__in=Renewal.OPEN)
        Renewal.objects.filter(~Exists(others), pk=renewal.pk, state=State.CALLED_OFF).update(
            state=State.PLANNED,
            ended_at=None,
            refusal="",
            next_attempt_at=renewal.first_attempt_at(renewal.membership.plan),
        )


def _active_users() -> Q:
    """Shops may have accounts that cannot be inactive."""
    names = {field.name for field in get_user_model()._meta.get_fields()}
    return Q(membership__user__is_active=True) if "is_active" in names else Q(membership__user__isnull=False)


def _stale() -> list[int]:
    """Open renewals whose membership has moved its end, has ended, or is not to go on. 1 query."""
    as_planned = _active_users() & Q(
        membership__state__in=_RUNNING,
        membership__renews=True,
        membership__plan__renews=True,
        due_at=F("membership__ends_at"),
    )
    rows = Renewal.objects.filter(state__in=(State.PLANNED, State.PAST_DUE)).exclude(
        pk__in=Renewal.objects.filter(as_planned, state__in=(State.PLANNED, State.PAST_DUE)).values("pk")
    )
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _follow(pk: int, now: datetime) -> None:
    with transaction.atomic():
        renewal = _lock(pk, skip_locked=True)
        if renewal is not None and renewal.state in (State.PLANNED, State.PAST_DUE):
            _still_wanted(renewal, now)


def _still_wanted(renewal: Renewal, now: datetime) -> bool:
    """Whether it goes on as it is; else it is called off, given up, or follows the new end. Under its lock."""
    membership = renewal.membership
    ends_at = membership.ends_at
    if membership.state not in _RUNNING or ends_at is None or not wants_renewal(membership):
        if membership.ended_reason == Membership.Reason.NOT_PAID and wants_renewal(membership):
            # The time of grace was over before this sweep came.
            _give_up(renewal, now, cause=CARD if renewal.attempt else SHOP, card=None)
        else:
            _call_off(renewal, now)
        return False
    if renewal.due_at == ends_at:
        return True
    if renewal.state == State.PLANNED:
        # Another day is another announcement.
        renewal.due_at = renewal.next_attempt_at = ends_at
        renewal.announced_at = renewal.announced_total = None
        renewal.save(update_fields=["due_at", "next_attempt_at", "announced_at", "announced_total"])
    else:
        # Bought in another way while the card was declined: the next one is planned for the new end.
        _call_off(renewal, now)
    return False


def _call_off(renewal: Renewal, now: datetime) -> None:
    """Under its lock. What it had set aside is free already: that is done with each refusal."""
    renewal.state, renewal.ended_at = State.CALLED_OFF, now
    renewal.next_attempt_at = renewal.leased_until = None
    renewal.save(update_fields=["state", "ended_at", "next_attempt_at", "leased_until"])
    settle(renewal.membership_id, now=now)


def switch_renewal(membership_id: int, on: bool, now: datetime | None = None) -> Membership | None:
    """As the customer wants it: go on by itself, or end when it is paid until. ``None``: there is none that runs.

    One that is being charged at this moment comes to its end: switched off, it is the last one.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        # The renewal first, then the membership: see above.
        rows = Renewal.objects.filter(membership=membership_id, state__in=Renewal.OPEN)
        pk = rows.values_list("pk", flat=True).first()
        renewal = _lock(pk) if pk is not None else None
        running = Membership.objects.filter(pk=membership_id).exclude(state=Membership.State.ENDED)
        if not running.update(renews=on):
            return None
        if renewal is not None and not on and renewal.state in (State.PLANNED, State.PAST_DUE):
            _call_off(renewal, moment)
        membership = settle(membership_id, now=moment)
        if on:
            plan_renewals(moment, membership_id)
    return membership


def try_soon(membership_id: int, now: datetime | None = None) -> bool:
    """The customer has changed the card that was declined: the next sweep charges it. Whether there is one."""
    rows = Renewal.objects.filter(membership=membership_id, state=State.PAST_DUE)
    return bool(rows.update(next_attempt_at=now or timezone.now()))


# Announcing


def _to_announce(now: datetime) -> list[int]:
    """Renewals whose customer is to be told by now. 2 queries.

    By the last sweep of a shop that sweeps once a day, at the latest: told too late, it would be charged later than it
    is due.
    """
    due = Q()
    for days in (
        Plan.objects.filter(renews=True, announce_days__gt=0)
        .values_list("announce_days", flat=True)
        .distinct()
    ):
        due |= Q(
            membership__plan__announce_days=days, next_attempt_at__lte=now + timedelta(days=days) + SWEEPS
        )
    if not due:
        return []
    rows = Renewal.objects.filter(due, state=State.PLANNED, announced_at=None)
    return list(rows.order_by("next_attempt_at", "pk").values_list("pk", flat=True))


def _announce(pk: int, now: datetime) -> None:
    wallet = _wallet_of(pk)
    with transaction.atomic(durable=True):
        renewal = _lock(pk, skip_locked=True)
        if renewal is None or renewal.state != State.PLANNED or renewal.announced_at is not None:
            return
        if not _still_wanted(renewal, now):
            return
        with _language(renewal.membership.user):
            try:
                priced = placing.quote(renewal.membership)
            except CannotRenew as error:
                # Until it is due, staff can mend it.
                _note(renewal, error.words)
                return
        _tell(renewal, priced, wallet, now)


def _tell(renewal: Renewal, priced: Priced, wallet: _Wallet, now: datetime) -> None:
    """Announce it for this total, and put it off until the customer has known it for long enough. Under its lock."""
    membership = renewal.membership
    before = renewal.announced_total if renewal.currency == priced.currency else None
    renewal.announced_at, renewal.announced_total = now, priced.total
    renewal.currency, renewal.refusal = priced.currency, ""
    renewal.state = State.PLANNED
    renewal.next_attempt_at = renewal.first_attempt_at(membership.plan)
    renewal.save()
    announcing.announce(
        renewal,
        placing.split_of(priced, membership.user, now=now),
        due_at=renewal.next_attempt_at,
        card=wallet.card,
        before=before,
        now=now,
    )
    settle(membership.pk, now=now)


def _note(renewal: Renewal, words: str) -> None:
    renewal.refusal = words[:200]
    renewal.save(update_fields=["refusal"])


# Renewing


def _due(now: datetime) -> list[int]:
    """Open renewals to be looked at now, those that wait longest first. 1 query."""
    rows = Renewal.objects.filter(state__in=Renewal.OPEN, next_attempt_at__lte=now)
    return list(rows.order_by("next_attempt_at", "pk").values_list("pk", flat=True))


def renew(pk: int, *, now: datetime, elapsed: timedelta = timedelta(0)) -> None:
    """One attempt, or the rest of one that a worker left behind. Changes nothing while another worker has it.

    ``elapsed``: how much later than ``now`` it really is, for the lease. Raises ``RuntimeError`` within a transaction.
    """
    wallet = _wallet_of(pk)
    try:
        attempt = _begin(pk, now, now + elapsed + LEASE, wallet)
    except Exception:
        _put_off(pk, now)
        raise
    if attempt is None:
        return
    renewal, charge = attempt.renewal, None
    if attempt.request is not None:
        try:
            charge = _charge(attempt.request)
        except CardDeclined as error:
            _decline(renewal, error.words, wallet, now)
            return
        except Exception:
            # Taken or not: asked again with the same key, once the lease is over.
            logger.exception("Renewal %s: it is not known whether the card was charged", pk)
            _leave_word(pk, _("It is not known yet whether the card was charged."))
            return
    try:
        _finish(pk, charge, now)
    except Exception:
        _leave_word(pk, _("It is paid, and the order could not be placed yet."))
        raise


def _leave_word(pk: int, words: str) -> None:
    """For staff, who see it waiting."""
    Renewal.objects.filter(pk=pk, state=State.CHARGING).update(refusal=words[:200])


def _put_off(pk: int, now: datetime) -> None:
    """Nothing was charged, and something is broken: not with every sweep again."""
    Renewal.objects.filter(pk=pk, state__in=(State.PLANNED, State.PAST_DUE)).update(
        next_attempt_at=now + RETRY
    )


def _begin(pk: int, now: datetime, lease: datetime, wallet: _Wallet) -> _Attempt | None:
    """Step 1, committed: from here on it is known what may have been charged, whatever dies."""
    try:
        with transaction.atomic(durable=True):
            renewal = _lock(pk, skip_locked=True)
            if renewal is None or not renewal.is_open:
                return None
            if renewal.next_attempt_at is None or renewal.next_attempt_at > now:
                return None
            if renewal.state == State.CHARGING:
                return _take_up(renewal, now, lease)
            if not _still_wanted(renewal, now):
                return None
            with _language(renewal.membership.user):
                try:
                    attempt = _agree(renewal, now, lease, wallet)
                except CannotRenew as error:
                    _refuse(renewal, error.words, now, cause=SHOP, card=None)
                    return None
            if attempt is not None:
                _look_again(renewal, now)
            return attempt
    except _Overtaken as error:
        settle(error.membership_id, now=now)
        _follow(pk, now)
        return None


class _Overtaken(Exception):
    """The membership has ended, or ends on another day, since the renewal was found to be wanted."""

    def __init__(self, membership_id: int) -> None:
        super().__init__(membership_id)
        self.membership_id = membership_id


def _look_again(renewal: Renewal, now: datetime) -> None:
    """The last look before the charge, with the membership locked: who ends it waits, and then sees that it is charged.

    Its orders are read again, too: of a refund there may have been no word. Raises ``_Overtaken``.
    """
    membership = lock(renewal.membership_id)
    if membership is None or membership.state not in _RUNNING or not wants_renewal(membership):
        raise _Overtaken(renewal.membership_id)
    if membership.ends_at != renewal.due_at or orders_have_changed(membership, now):
        raise _Overtaken(renewal.membership_id)


def _take_up(renewal: Renewal, now: datetime, lease: datetime) -> _Attempt | None:
    """What a worker began and did not end: the same again, at the same amounts."""
    if renewal.membership.user_id is None:
        _lose(renewal, now)
        return None
    if renewal.credit:
        try:
            _set_aside(renewal, renewal.credit, now, lease)
        except credit.InsufficientCredit:
            if renewal.rest == 0:
                _begin_anew(renewal, now)
                return None
            # It expired meanwhile: what is there when the order is placed is spent, the rest is for staff to see.
            logger.warning("Renewal %s: its credit is no longer there", renewal.pk)
    renewal.leased_until = renewal.next_attempt_at = lease
    renewal.save(update_fields=["leased_until", "next_attempt_at"])
    # The access goes on for as long.
    settle(renewal.membership_id, now=now)
    return _attempt(renewal)


def _begin_anew(renewal: Renewal, now: datetime) -> None:
    """Its credit was to pay everything, and is gone: no card was asked, so the next sweep may agree on another way."""
    credit.release(order_number=str(renewal.order_number), now=now)
    renewal.state = State.PAST_DUE if renewal.attempt else State.PLANNED
    renewal.leased_until, renewal.next_attempt_at = None, now
    renewal.save(update_fields=["state", "leased_until", "next_attempt_at"])
    settle(renewal.membership_id, now=now)


def _agree(renewal: Renewal, now: datetime, lease: datetime, wallet: _Wallet) -> _Attempt | None:
    """Fix what it costs and how it is paid. ``None`` where it is announced first, or refused with nobody asked."""
    membership = renewal.membership
    priced = _price(renewal)
    if _is_dearer(renewal, priced):
        if membership.plan.announce_days:
            _tell(renewal, priced, wallet, now)
            return None
        # Told with the charge, as the plan wants it.
        renewal.announced_at, renewal.announced_total = now, priced.total
    placing.remember_price(priced)
    renewal.currency, renewal.total = priced.currency, priced.total
    paid = placing.split_of(priced, membership.user, now=now)
    if paid.card == 0 or not wallet.reason:
        paid = _pay_with_credit(renewal, priced, now, lease)
    renewal.credit, renewal.charge = paid.credit, paid.card
    if paid.card > 0 and wallet.reason:
        _refuse(renewal, wallet.reason, now, cause=NO_CARD if renewal_cards() else SHOP, card=wallet.card)
        return None
    renewal.state, renewal.refusal = State.CHARGING, ""
    renewal.leased_until = renewal.next_attempt_at = lease
    renewal.save()
    return _attempt(renewal)


def _price(renewal: Renewal) -> Priced:
    """Its basket at the prices of now, in which it is tried again. Raises ``CannotRenew``."""
    membership = renewal.membership
    product = placing.product_of(membership)
    basket = placing.find_basket(renewal, product)
    is_new = basket is None
    if basket is None:
        basket = placing.make_basket(membership.user, product)
    renewal.basket_id = basket.pk
    if renewal.order_number is None:
        renewal.order_number = placing.order_number_for(basket)
    priced = placing.price(basket, membership.user)
    if not is_new and renewal.attempt and _is_dearer(renewal, priced):
        # Who is past due pays what the first attempt asked for.
        return placing.price_as_agreed(basket)
    return priced


def _is_dearer(renewal: Renewal, priced: Priced) -> bool:
    """Does it cost more than the customer was told, if they were, or in another currency?"""
    return (
        renewal.announced_total is None
        or renewal.currency != priced.currency
        or priced.total > renewal.announced_total
    )


def _pay_with_credit(renewal: Renewal, priced: Priced, now: datetime, lease: datetime) -> Split:
    """Set aside what credit pays of it. Elsewhere it may be spent meanwhile: then it is less."""
    user = renewal.membership.user
    at_most: Decimal | None = None
    for _again in range(3):
        paid = placing.split_of(priced, user, now=now, at_most=at_most)
        if paid.credit == 0:
            break
        try:
            _set_aside(renewal, paid.credit, now, lease)
        except credit.InsufficientCredit as error:
            at_most = error.available
        else:
            return paid
    return Split(NOTHING, priced.total)


def _set_aside(renewal: Renewal, amount: Decimal, now: datetime, lease: datetime) -> None:
    rewards.reserve_for_renewal(
        user=renewal.membership.user,
        currency=renewal.currency,
        amount=amount,
        order_number=str(renewal.order_number),
        expires_at=lease + SET_ASIDE,
        now=now,
    )


def _attempt(renewal: Renewal) -> _Attempt:
    if renewal.rest == 0:
        return _Attempt(renewal, None)
    request = ChargeRequest(
        user=renewal.membership.user,
        amount=renewal.rest,
        currency=renewal.currency,
        key=renewal.charge_key,
        order_number=str(renewal.order_number),
        reference=renewal.membership.code,
    )
    return _Attempt(renewal, request)


def _charge(request: ChargeRequest) -> Charge:
    """Step 2. What is taken cannot be rolled back, so there is no transaction around it."""
    if transaction.get_connection().in_atomic_block and not _in_a_test():
        raise RuntimeError("A card is never charged inside a transaction.")
    cards = renewal_cards()
    if cards is None:
        raise RuntimeError('WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"] is gone while a card is being charged.')
    with _language(request.user):
        return cards.charge(request)


def _in_a_test() -> bool:
    """Only in the transaction that Django's ``TestCase`` opens around a test, as ``atomic(durable=True)`` allows it."""
    blocks = transaction.get_connection().atomic_blocks
    return all(getattr(block, "_from_testcase", False) for block in blocks)


def _finish(pk: int, charge: Charge | None, now: datetime) -> None:
    """Step 3: the order, the credit and the period, all or nothing."""
    with transaction.atomic(durable=True):
        renewal = _lock(pk)
        if renewal is None or renewal.state == State.DONE:
            # Another worker, whose lease was over in the meantime.
            return
        if charge is None and (renewal.state != State.CHARGING or renewal.rest > 0):
            # Without its credit it has begun anew.
            return
        _complete(renewal, charge, now)


def _complete(renewal: Renewal, charge: Charge | None, now: datetime) -> None:
    """Under its lock, in the caller's transaction."""
    membership = renewal.membership
    if charge is not None:
        renewal.charge_reference, renewal.charge_label = charge.reference[:128], charge.label[:60]
    if membership.user is None:
        _lose(renewal, now)
        return
    until = membership.access_until
    lapsed = until is not None and until + SWEEPS <= now
    with _language(membership.user):
        order = placing.place(renewal, charge)
    renewal.state, renewal.ended_at, renewal.refusal = State.DONE, now, ""
    renewal.next_attempt_at = renewal.leased_until = None
    renewal.save()
    period = add_period(
        user=membership.user,
        plan=membership.plan,
        key=f"renewal:{renewal.pk}",
        origin=Period.Origin.RENEWAL,
        kind=Period.Kind.RENEWAL,
        now=now,
        # Without a gap, unless the doors were closed to the customer for longer than between two sweeps.
        counts_from=now if lapsed else renewal.due_at,
        membership=membership,
        order_number=str(renewal.order_number),
        line_id=order.lines.values_list("pk", flat=True).order_by("pk").first(),
    )
    announcing.tell_renewed(renewal, until=period.ends_at, now=now)


# Refused


def _decline(renewal: Renewal, words: str, wallet: _Wallet, now: datetime) -> None:
    """A definite no to this attempt."""
    with transaction.atomic(durable=True):
        current = _lock(renewal.pk)
        if current is None or current.state != State.CHARGING or current.attempt != renewal.attempt:
            # Another worker, whose lease was over in the meantime, had the same answer.
            return
        with _language(current.membership.user):
            words = words or _("The card was declined.")
        _refuse(current, words, now, cause=CARD, card=wallet.card)


def _refuse(renewal: Renewal, words: str, now: datetime, *, cause: str, card: Card | None) -> None:
    """Free the credit; past due, to be tried again, or given up when the time of grace is over. Under its lock."""
    plan = renewal.membership.plan
    if renewal.order_number is not None:
        credit.release(order_number=renewal.order_number, now=now)
    first = renewal.first_attempt_at(plan)
    until = first + plan.grace
    renewal.attempt += 1
    renewal.refusal = words[:200]
    renewal.leased_until = None
    if now >= until:
        _give_up(renewal, now, cause=cause, card=card)
        return
    # After the last time that the plan names once more, when the time of grace ends.
    moments = (first + after for after in plan.retry_after)
    renewal.next_attempt_at = next((moment for moment in moments if now < moment < until), until)
    renewal.state = State.PAST_DUE
    renewal.save()
    settle(renewal.membership_id, now=now)
    announcing.tell_refused(
        renewal, cause=cause, until=until, next_at=renewal.next_attempt_at, card=card, now=now
    )


def _give_up(renewal: Renewal, now: datetime, *, cause: str, card: Card | None) -> None:
    """The membership ends, and its customer is told. Under its lock."""
    renewal.state, renewal.ended_at = State.GIVEN_UP, now
    renewal.next_attempt_at = renewal.leased_until = None
    renewal.save()
    settle(renewal.membership_id, now=now)
    announcing.tell_ended(renewal, cause=cause, card=card, now=now)


def _lose(renewal: Renewal, now: datetime) -> None:
    """The account was deleted while it was being charged: nobody can be asked, and there is no one to give it to."""
    logger.error(
        "Renewal %s: the account was deleted while its card was being charged under %s: give back what was taken",
        renewal.pk,
        renewal.charge_key,
    )
    if renewal.order_number is not None:
        credit.release(order_number=renewal.order_number, now=now)
    renewal.refusal = _("The account was deleted while its card was being charged: give back what was taken.")
    _give_up(renewal, now, cause=SHOP, card=None)


# Trying it out


def rehearse(membership: Membership, charge: Charge, *, now: datetime) -> Renewal:
    """Renew it here and now, all but the charge: as if ``charge`` had come of it. The shop's cards are not asked.

    For the doctor, within a transaction that is rolled back. Raises ``CannotRenew``, and what the shop's own code does.
    """
    plan_renewals(now, membership.pk)
    renewal = membership.renewals.select_related("membership__plan", "membership__user").latest("number")
    priced = _price(renewal)
    renewal.announced_at, renewal.announced_total, renewal.currency = now, priced.total, priced.currency
    _agree(renewal, now, now + LEASE, _Wallet(Card(charge.label)))
    _complete(renewal, charge if renewal.rest else None, now)
    return renewal


# Reading


def forecast(membership: Membership, now: datetime | None = None) -> Forecast | None:
    """What the next renewal would cost and how it would be paid, by the code that renews; ``None`` where there is none,
    or where the shop could not sell it at present. Leaves nothing behind.
    """
    moment = now or timezone.now()
    if membership.state not in _RUNNING or membership.ends_at is None or not wants_renewal(membership):
        return None
    user = membership.user
    renewal = membership.renewals.filter(state__in=Renewal.OPEN).first()
    due_at = membership.ends_at
    if renewal is not None and renewal.state == State.PLANNED and renewal.next_attempt_at is not None:
        due_at = max(due_at, renewal.next_attempt_at)
    card = _ask_for_card(user)
    try:
        if renewal is not None and renewal.state == State.CHARGING and renewal.total is not None:
            # Agreed already.
            left = renewal.credit or NOTHING
            currency, total, paid = renewal.currency, renewal.total, Split(left, renewal.rest)
        else:
            priced = _quote(membership, renewal)
            currency, total = priced.currency, priced.total
            paid = placing.split_of(priced, user, now=moment)
            left = rewards.renewal_credit(user, currency, now=moment) if paid.credit else NOTHING
    except CannotRenew:
        return None
    label = card.card.label if card.card is not None and paid.card > 0 else ""
    return Forecast(due_at, currency, total, paid.credit, paid.card, label, left)


def _quote(membership: Membership, renewal: Renewal | None) -> Priced:
    if renewal is None or not renewal.attempt:
        return placing.quote(membership)
    with transaction.atomic():
        renewal.membership = membership
        priced = _price(renewal)
        transaction.set_rollback(True)
    return priced


def _wallet_of(pk: int) -> _Wallet:
    """The card of a renewal's customer, asked for outside of any transaction: a shop may ask its bank."""
    membership = Membership.objects.filter(renewals=pk).select_related("user").first()
    if membership is None or membership.user is None:
        return _Wallet(None)
    with _language(membership.user):
        return _ask_for_card(membership.user)


def _ask_for_card(user: Any) -> _Wallet:
    """In the current language."""
    cards = renewal_cards()
    if cards is None:
        return _Wallet(None, _("The shop cannot charge a card for it at present."))
    try:
        card = cards.card(user)
    except Exception:
        # Not known: whoever charges it will be told.
        logger.exception("It could not be asked which card a customer keeps")
        return _Wallet(None)
    has_card = card is not None and card.label
    return _Wallet(card, "" if has_card else _("There is no card that could be charged."))


def _lock(pk: int, *, skip_locked: bool = False) -> Renewal | None:
    """The renewal, locked until the end of the transaction, with its membership as it is now."""
    rows: QuerySet[Renewal] = Renewal.objects.select_for_update(
        no_key=True, of=("self",), skip_locked=skip_locked
    )
    return rows.select_related("membership__plan", "membership__user").filter(pk=pk).first()


def _language(user: Any) -> translation.override:
    """The customer's language, for words that the shop says to them."""
    return translation.override(announcing.language_of(user) or settings.LANGUAGE_CODE)
