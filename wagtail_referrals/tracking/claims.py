"""Claims: making them, tying them to baskets, finding them again. What they promise is the rewards room's business."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from wagtail_referrals.programs import parse
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.tracking.models import Claim, ClaimBasket, Visit


def create_claim(
    *,
    visit: Visit | None = None,
    advocate_id: int | None = None,
    terms: Terms | None = None,
    source: str,
    user: Any = None,
    language: str = "",
    now: datetime | None = None,
) -> tuple[Claim, bool]:
    """The claim of this visit, or a new one for ``advocate_id`` and ``terms``; and whether it was made now.

    The days to order count from the visit, without one from ``now``. Raises ``ValueError`` when neither the visit nor
    the arguments say whose invitation to which terms it is.
    """
    moment = now or timezone.now()
    if visit is not None:
        advocate_id = visit.advocate_id if advocate_id is None else advocate_id
        terms = visit.terms if terms is None else terms
        language = language or visit.language
    if advocate_id is None or terms is None:
        raise ValueError("a claim needs an advocate and terms")
    since = visit.created_at if visit is not None else moment
    try:
        with transaction.atomic():
            claim = Claim.objects.create(
                visit=visit,
                advocate_id=advocate_id,
                terms=terms,
                source=source,
                user=user if user is not None and user.is_authenticated else None,
                language=language,
                created_at=moment,
                expires_at=since + timedelta(days=parse(terms).window_days),
            )
    except IntegrityError:
        # Another request of the same visitor was faster. Without a visit nothing is unique: then it is a real error.
        if visit is None:
            raise
        return Claim.objects.select_related("terms", "advocate").get(visit=visit), False
    return claim, True


def claim_is_open(claim: Claim, now: datetime | None = None) -> bool:
    """Does it still promise something? Also right before the sweep has marked it as expired."""
    return claim.state == Claim.State.OPEN and (now or timezone.now()) <= claim.expires_at


def link_basket(claim: Claim, basket_reference: str, *, now: datetime | None = None) -> None:
    """From now on this basket belongs to this claim. One statement, also when two requests do it at once."""
    row = ClaimBasket(basket_reference=str(basket_reference), claim=claim, created_at=now or timezone.now())
    ClaimBasket.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["basket_reference"],
        update_fields=["claim", "created_at"],
    )


def claim_of_basket(basket_reference: str) -> Claim | None:
    """The claim that the basket was tied to last, in whatever state it is."""
    link = (
        ClaimBasket.objects.filter(basket_reference=str(basket_reference))
        .select_related("claim__terms", "claim__advocate")
        .first()
    )
    return link.claim if link else None


def open_claim_of(user: Any, *, now: datetime | None = None) -> Claim | None:
    """The customer's newest claim that is open."""
    if user is None or not user.is_authenticated:
        return None
    return (
        Claim.objects.filter(user=user, state=Claim.State.OPEN, expires_at__gte=now or timezone.now())
        .select_related("terms", "advocate")
        .order_by("-created_at", "-pk")
        .first()
    )
