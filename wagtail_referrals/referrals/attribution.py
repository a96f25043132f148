"""Whose friend a person is, and which referral an order belongs to. Decided once; the database keeps it so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from wagtail_referrals.people import email_key
from wagtail_referrals.programs import TermsData, parse
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.referrals.shop import PurchaseSnapshot
from wagtail_referrals.tracking.models import Claim


def _friend(user: Any, email: str) -> tuple[Any, str]:
    """The account, if there is one, and the keyed hash of the address."""
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    return known, email_key(email or getattr(known, "email", "") or "")


def referrals_of(user: Any, email: str) -> list[Referral]:
    """Referrals of this person as a friend, newest first: by account, or by the hash of a guest order's address."""
    known, key = _friend(user, email)
    same = Q()
    if known is not None:
        same |= Q(friend=known)
    if key:
        same |= Q(friend=None, friend_email_hash=key)
    if not same:
        return []
    return list(Referral.objects.filter(same).select_related("terms", "claim").order_by("-created_at", "-pk"))


def _create(claim: Claim, known: Any, key: str, *, now: datetime, **values: Any) -> Referral:
    """The referral of this claim and person; the one that exists already where another process was faster."""
    try:
        with transaction.atomic():
            referral = Referral.objects.create(
                terms=claim.terms,
                program_key=claim.terms.program_key,
                advocate_id=claim.advocate_id,
                claim=claim,
                friend=known,
                friend_email_hash=key,
                created_at=now,
                next_check_at=now,
                **values,
            )
            Claim.objects.filter(pk=claim.pk).update(
                state=Claim.State.USED, user=known or claim.user, email_hash=key or claim.email_hash
            )
            return referral
    except IntegrityError:
        return Referral.objects.select_related("terms", "claim").get(
            Q(claim=claim)
            | Q(program_key=claim.terms.program_key)
            & (Q(friend=known) if known is not None else Q(friend=None, friend_email_hash=key))
        )


def _window_open(claim: Claim, moment: datetime) -> bool:
    # One that has lapsed since was open then: what happened in time may be noted after the sweep.
    return claim.state != Claim.State.REPLACED and moment <= claim.expires_at


def register_friend(user: Any, *, claim: Claim | None, now: datetime | None = None) -> Referral | None:
    """A person opened an account. Makes the referral of their claim; what they did as a guest becomes theirs.

    The referral to the claim's program, without a claim the newest; ``None`` if there is none.
    """
    moment = now or timezone.now()
    known, key = _friend(user, "")
    theirs: dict[Any, Referral] = {}
    # A person is referred once to each program: what is the account's already comes first.
    for referral in sorted(referrals_of(user, ""), key=lambda found: found.friend_id is None):
        if referral.program_key in theirs:
            continue
        theirs[referral.program_key] = referral
        if referral.friend_id is None:
            Referral.objects.filter(pk=referral.pk, friend=None).update(
                friend=known, registered_at=moment, next_check_at=moment, revision=F("revision") + 1
            )
            timeline.record("registered", referral=referral, key=f"registered:{referral.pk}", now=moment)
    if claim is None:
        return next(iter(theirs.values()), None)
    if claim.terms.program_key in theirs:
        return theirs[claim.terms.program_key]
    if not _window_open(claim, moment) or Referral.objects.filter(claim=claim).exists():
        return None
    referral = _create(claim, known, key, now=moment, registered_at=moment)
    timeline.record("registered", referral=referral, key=f"registered:{referral.pk}", now=moment)
    return referral


def _referral_for(
    snapshot: PurchaseSnapshot, claim: Claim | None, user: Any, email: str, now: datetime
) -> Referral | None:
    known, key = _friend(user, email)
    existing = referrals_of(user, email)
    if claim is None:
        return existing[0] if existing else None
    for referral in existing:
        if referral.program_key == claim.terms.program_key:
            return referral
    if not _window_open(claim, snapshot.placed_at):
        if claim.state != Claim.State.REPLACED:
            timeline.record(
                "claim_refused",
                claim=claim,
                data={"reason": "window"},
                key=f"window:{snapshot.reference}",
                now=now,
            )
        return existing[0] if existing else None
    if claim.state == Claim.State.USED:
        # Somebody else's by now, e.g. two people at one computer. One claim makes one referral.
        taken = Referral.objects.filter(claim=claim).select_related("terms", "claim").first()
        if taken is not None and (taken.friend_id or taken.friend_email_hash):
            return existing[0] if existing else None
    return _create(claim, known, key, now=now)


def record_purchase(
    snapshot: PurchaseSnapshot,
    *,
    claim: Claim | None,
    user: Any = None,
    email: str = "",
    now: datetime | None = None,
) -> Purchase | None:
    """Attribute an order to the claim's referral, or to the one that the person already has; ``None`` to none.

    Idempotent by the order number. Marks the referral as due, and settles nothing: at the moment of ordering nothing
    is owed yet, and checkout should not wait for us.
    """
    moment = now or timezone.now()
    # Checkout is in a savepoint already: the caller's.
    with transaction.atomic(savepoint=False):
        referral = _referral_for(snapshot, claim, user, email, moment)
        if referral is None:
            return None
        data = parse(referral.terms)
        purchase = Purchase(
            reference=snapshot.reference,
            referral=referral,
            placed_at=snapshot.placed_at,
            currency=snapshot.currency,
            eligible=snapshot.eligible,
            total=snapshot.total,
            was_customer=snapshot.was_customer,
            lines=list(snapshot.lines),
            watch_until=watch_until(data, snapshot.placed_at),
        )
        Purchase.objects.bulk_create([purchase], ignore_conflicts=True)
        Referral.objects.filter(pk=referral.pk).update(
            next_check_at=moment,
            revision=F("revision") + 1,
            state=(
                Referral.State.WAITING_PAYMENT
                if referral.state == Referral.State.WAITING_ORDER
                else referral.state
            ),
            reason="payment" if referral.state == Referral.State.WAITING_ORDER else referral.reason,
        )
        timeline.record(
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
    return purchase if purchase.pk else Purchase.objects.get(reference=snapshot.reference)


def watch_until(data: TermsData, placed_at: datetime) -> datetime:
    """Until when changes of the order still count: the days of clawback, at least until the hold can be over."""
    return placed_at + timedelta(days=max(data.clawback_days, data.hold_days + 1))
