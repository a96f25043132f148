"""Whose friend a person is, and which referral an order belongs to. Decided once; the database keeps it so."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Q, QuerySet
from django.utils import timezone

from wagtail_referrals import signals
from wagtail_referrals.people import (
    adopt_guest,
    email_is_theirs,
    email_key,
    email_of_account,
    exact_email_key,
)
from wagtail_referrals.programs import TermsData, parse
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.referrals.shop import PurchaseSnapshot
from wagtail_referrals.tracking.models import Claim


def _friend(user: Any, email: str) -> tuple[Any, str]:
    """The account, if there is one, and the address."""
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    return known, email or email_of_account(known)


def _of_person(user: Any, email: str) -> QuerySet[Referral]:
    known, address = _friend(user, email)
    same = Q()
    if known is not None:
        same |= Q(friend=known)
    if key := email_key(address):
        same |= Q(friend=None, friend_email_hash=key)
    return Referral.objects.filter(same) if same else Referral.objects.none()


def referrals_of(user: Any, email: str) -> list[Referral]:
    """Referrals of this person as a friend, newest first: by account, or by the hash of a guest order's address."""
    return list(_of_person(user, email).select_related("terms", "claim").order_by("-created_at", "-pk"))


def is_friend(user: Any, email: str) -> Exists:
    """Is this person a friend in any referral? To be asked along with another question, by ``annotate``."""
    return Exists(_of_person(user, email))


def is_recorded(reference: str) -> Exists:
    """Was this order recorded already? To be asked along with another question, by ``annotate``."""
    return Exists(Purchase.objects.filter(reference=reference))


def _create(
    claim: Claim, known: Any, address: str, *, now: datetime, savepoint: bool = True, **values: Any
) -> tuple[Referral, bool]:
    """The referral of this claim and person, and whether it was made now: another process may have been faster.

    Without a savepoint ``IntegrityError`` says that it was.
    """
    key = email_key(address)
    try:
        with transaction.atomic(savepoint=savepoint):
            referral = Referral.objects.create(
                terms=claim.terms,
                program_key=claim.terms.program_key,
                advocate_id=claim.advocate_id,
                claim=claim,
                friend=known,
                friend_email_hash=key,
                friend_exact_email_hash=exact_email_key(address),
                created_at=now,
                next_check_at=now,
                **values,
            )
            Claim.objects.filter(pk=claim.pk).update(
                state=Claim.State.USED, user=known or claim.user, email_hash=key or claim.email_hash
            )
            return referral, True
    except IntegrityError:
        if not savepoint:
            raise
        existing = Referral.objects.select_related("terms", "claim").get(
            Q(claim=claim)
            | Q(program_key=claim.terms.program_key)
            & (Q(friend=known) if known is not None else Q(friend=None, friend_email_hash=key))
        )
        return existing, False


def _window_open(claim: Claim, moment: datetime) -> bool:
    # One that has lapsed since was open then: what happened in time may be noted after the sweep.
    return claim.state != Claim.State.REPLACED and moment <= claim.expires_at


def register_friend(user: Any, *, claim: Claim | None, now: datetime | None = None) -> Referral | None:
    """A person opened an account. Makes the referral of their claim; what they did as a guest becomes theirs.

    The latter with the very address only, and once it is theirs, see ``email_verified``. The referral to the claim's
    program, without a claim the newest; ``None`` if there is none.
    """
    moment = now or timezone.now()
    known, address = _friend(user, "")
    key = exact_email_key(address)
    theirs: dict[Any, Referral] = {}
    found = referrals_of(user, "")
    # Of a variant of the address nothing is taken over: maybe the same person, but that proves nothing.
    waiting = {
        referral.program_key
        for referral in found
        if referral.friend_id is None and referral.friend_exact_email_hash == key
    }
    may_have = not waiting or email_is_theirs(user)
    # A person is referred once to each program: what is the account's already comes first.
    for referral in sorted(found, key=lambda each: each.friend_id is None):
        if referral.friend_id is None and (referral.friend_exact_email_hash != key or not may_have):
            continue
        if referral.program_key in theirs:
            continue
        theirs[referral.program_key] = referral
        if referral.friend_id is None:
            Referral.objects.filter(pk=referral.pk, friend=None).update(
                friend=known, registered_at=moment, next_check_at=moment, revision=F("revision") + 1
            )
            referral.friend, referral.registered_at = known, moment
            _tell_registered(referral, moment)
    if claim is None:
        return next(iter(theirs.values()), None)
    if claim.terms.program_key in theirs:
        return theirs[claim.terms.program_key]
    if claim.terms.program_key in waiting or not _window_open(claim, moment):
        # They are a friend in this program already, as soon as the address is theirs.
        return None
    if Referral.objects.filter(claim=claim).exists():
        return None
    referral, _created = _create(claim, known, address, now=moment, registered_at=moment)
    _tell_registered(referral, moment)
    return referral


def _tell_registered(referral: Referral, now: datetime) -> None:
    timeline.record("registered", referral=referral, key=f"registered:{referral.pk}", now=now)
    signals.friend_registered.send_robust(sender=Referral, referral=referral, now=now)


def email_verified(user: Any, *, now: datetime | None = None) -> None:
    """The shop has just verified the address of this account: what waited for it as a guest's becomes theirs.

    Idempotent. What waits is looked for first, and whether the address is theirs asked then.
    """
    adopt_guest(user)
    register_friend(user, claim=None, now=now)


def _referral_for(
    snapshot: PurchaseSnapshot,
    claim: Claim | None,
    known: Any,
    address: str,
    existing: list[Referral],
    now: datetime,
    savepoint: bool,
) -> tuple[Referral | None, bool]:
    """The referral that an order belongs to, and whether it was made now, as one whose order is there."""
    latest = existing[0] if existing else None
    if claim is None:
        return latest, False
    for referral in existing:
        if referral.program_key == claim.terms.program_key:
            return referral, False
    if not _window_open(claim, snapshot.placed_at):
        if claim.state != Claim.State.REPLACED:
            timeline.record(
                "claim_refused",
                claim=claim,
                data={"reason": "window"},
                key=f"window:{snapshot.reference}",
                now=now,
            )
        return latest, False
    if claim.state == Claim.State.USED:
        # Somebody else's by now, e.g. two people at one computer. One claim makes one referral.
        taken = Referral.objects.filter(claim=claim).select_related("terms", "claim").first()
        if taken is not None and (taken.friend_id or taken.friend_email_hash):
            return latest, False
    return _create(claim, known, address, now=now, savepoint=savepoint, revision=1, **_ORDERED)


# What a referral that waited for an order waits for next.
_ORDERED: Final = {"state": Referral.State.WAITING_PAYMENT, "reason": "payment"}


def record_purchase(
    snapshot: PurchaseSnapshot,
    *,
    claim: Claim | None,
    user: Any = None,
    email: str = "",
    existing: list[Referral] | None = None,
    recorded: bool | None = None,
    events: Iterable[TimelineEvent] = (),
    savepoint: bool = True,
    now: datetime | None = None,
) -> Purchase | None:
    """Attribute an order to the claim's referral, or to the one that the person already has; ``None`` to none.

    Never one that was placed before the claim was made.

    Idempotent by the order number. Marks the referral as due, and settles nothing: at the moment of ordering nothing
    is owed yet, and checkout should not wait for us.

    What the caller has read a moment ago need not be read again: ``existing``, the referrals of this person
    (``referrals_of``), and ``recorded``, whether this order was recorded before. ``events`` are written along with
    those of the order. Without a ``savepoint``, ``IntegrityError`` says that another process was faster.
    """
    moment = now or timezone.now()
    known, address = _friend(user, email)
    # Checkout is in a savepoint already: the caller's.
    with transaction.atomic(savepoint=False):
        purchase = None
        if recorded is not False:
            earlier = Purchase.objects.filter(reference=snapshot.reference)
            purchase = earlier.select_related("referral__terms", "referral__claim").first()
        referral: Referral | None
        if purchase is not None:
            referral, is_new = purchase.referral, False
        else:
            if existing is None:
                existing = referrals_of(user, email)
            # Nobody was invited to an order that was there already, least of all to one from before the installation.
            existing = [found for found in existing if found.claim.created_at <= snapshot.placed_at]
            if claim is not None and claim.created_at > snapshot.placed_at:
                claim = None
            referral, is_new = _referral_for(snapshot, claim, known, address, existing, moment, savepoint)
        if referral is None:
            timeline.write([*events])
            return None
        if purchase is None:
            purchase = _insert(snapshot, referral)
        if not is_new:
            waited = referral.state == Referral.State.WAITING_ORDER
            mark_due([referral.pk], now=moment, **(_ORDERED if waited else {}))
        ordered = timeline.event(
            "purchase",
            referral=referral,
            data={
                "reference": snapshot.reference,
                "amount": str(snapshot.eligible),
                "currency": snapshot.currency,
            },
            key=f"purchase:{snapshot.reference}",
            now=moment,
        )
        timeline.write([*events, ordered])
    return purchase


def mark_due(referral_ids: Collection[int], *, now: datetime, **values: Any) -> None:
    """Have these referrals settled soon, and write ``values`` into them. One statement, which waits for nobody.

    Whoever is paying with credit may hold the lock of their account, which whoever settles wants after that of the
    referral. A referral that is being settled at this very moment is marked after the commit, and keeps what the
    settling says of it.
    """
    due = {"next_check_at": now, "revision": F("revision") + 1}
    free = Referral.objects.filter(pk__in=referral_ids).select_for_update(no_key=True, skip_locked=True)
    if Referral.objects.filter(pk__in=free.values("pk")).update(**due, **values) < len(referral_ids):
        later = Referral.objects.filter(pk__in=referral_ids)
        transaction.on_commit(lambda: later.update(**due) and None, robust=True)


def _insert(snapshot: PurchaseSnapshot, referral: Referral) -> Purchase:
    """Write the purchase; one that another process has just written stays as it is."""
    purchase = Purchase(
        reference=snapshot.reference,
        referral=referral,
        placed_at=snapshot.placed_at,
        currency=snapshot.currency,
        eligible=snapshot.eligible,
        total=snapshot.total,
        was_customer=snapshot.was_customer,
        lines=list(snapshot.lines),
        watch_until=watch_until(parse(referral.terms), snapshot.placed_at),
    )
    # Unlike DO NOTHING, an update that changes nothing tells the key of the row that is there.
    Purchase.objects.bulk_create(
        [purchase], update_conflicts=True, unique_fields=["reference"], update_fields=["reference"]
    )
    return purchase if purchase.pk else Purchase.objects.get(reference=snapshot.reference)


def watch_until(data: TermsData, placed_at: datetime) -> datetime:
    """Until when changes of the order still count: the days of clawback, at least until the hold can be over."""
    return placed_at + timedelta(days=max(data.clawback_days, data.hold_days + 1))
