"""The first commitment: from a visit or a code to a claim, with what is promised by it.

``commit`` is called at every step that may be the first: add to basket, typed code, registration, login, checkout. It
is idempotent, and nearly free once the basket is tied to its claim.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from wagtail_referrals import tracking
from wagtail_referrals.people import CodeHolder, email_key, find_code
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import (
    budget,
    forget_open_terms,
    friend_gets,
    parse,
    pick_terms,
    site_of_offer,
)
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import reason_words, timeline
from wagtail_referrals.rewards import discounts
from wagtail_referrals.tracking.models import Claim, Visit

logger = logging.getLogger("wagtail_referrals")


def commit(
    *,
    visit: Visit | None = None,
    code: str | CodeHolder | None = None,
    token: str | None = None,
    basket_reference: str | None = None,
    user: Any = None,
    email: str = "",
    source: str = Claim.Source.LINK,
    language: str = "",
    site_id: int | None = None,
    remembered: int | None = None,
    now: datetime | None = None,
) -> Claim | None:
    """The claim of this person or basket; made now if there is a visit or a code and none was made before.

    ``remembered``: the claim (its primary key) that this very browser has made, for a basket that is not tied yet: it
    begins another one while the first is being paid for.

    Gives the friend's discount, sets the promise aside in the budget, ties the basket and the person. ``None`` when
    there is neither link nor claim, or when it was refused; refusals are in the referrer's timeline.
    """
    moment = now or timezone.now()
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    if visit is None and token:
        visit = tracking.visit_from_token(token)
        source = Claim.Source.ATTACHED
    tied = tracking.claim_of_basket(basket_reference) if basket_reference else None
    is_linked = tied is not None
    if tied is None and remembered is not None:
        tied = Claim.objects.filter(pk=remembered).select_related("terms", "advocate").first()
    if tied is not None and (not promise_holds(tied, moment) or _is_of_another(tied, known)):
        tied = None

    claim: Claim | None = None
    if visit is not None and not (tied is not None and tied.visit_id == visit.pk):
        claim = _from_visit(visit, tied, known, source=source, language=language, now=moment)
    elif code is not None:
        claim = _from_code(code, tied, known, language=language, site_id=site_id, now=moment)
    if claim is None or _is_of_another(claim, known):
        claim = tied or (_claim_of(known, moment) if known is not None else None)
    if claim is None:
        return None
    if basket_reference and not (is_linked and tied is not None and tied.pk == claim.pk):
        tracking.link_basket(claim, basket_reference)
    news = claim.user_id != known.pk if known is not None else False
    # What a customer has is not lost by an address that a guest at the same browser gives.
    if email and (known is not None or claim.user_id is None):
        news = news or claim.email_hash != email_key(email)
    if news:
        discounts.bind_person(claim, user=known, email=email, now=moment)
    return claim


def promise_holds(claim: Claim, now: datetime) -> bool:
    """Is there still something to promise? Also to a friend who has the discount again after a cancelled order."""
    if tracking.claim_is_open(claim, now):
        return True
    return claim.state == Claim.State.USED and bool(discounts.active_discounts(claim))


def _is_of_another(claim: Claim, user: Any) -> bool:
    """Does the invitation belong to another account already? The cookie stays when the next person signs in."""
    return user is not None and claim.user_id is not None and claim.user_id != user.pk


def _claim_of(user: Any, now: datetime) -> Claim | None:
    return tracking.open_claim_of(user, now=now) or discounts.claim_with_discount(user)


def _from_visit(
    visit: Visit, tied: Claim | None, user: Any, *, source: str, language: str, now: datetime
) -> Claim | None:
    existing = Claim.objects.filter(visit=visit).select_related("terms", "advocate").first()
    if existing is not None:
        return existing if promise_holds(existing, now) else None
    if visit.terms_id is None:
        return None
    terms: Terms = visit.terms  # type: ignore[assignment]
    return _make(
        terms,
        visit.advocate,
        tied,
        user,
        since=visit.created_at,
        visit=visit,
        source=source,
        language=language,
        now=now,
    )


def _from_code(
    code: str | CodeHolder,
    tied: Claim | None,
    user: Any,
    *,
    language: str,
    site_id: int | None,
    now: datetime,
) -> Claim | None:
    holder = find_code(code) if isinstance(code, str) else code
    if holder is None:
        return None
    if tied is not None and tied.advocate_id == holder.advocate_id:
        return tied
    picked = pick_terms(
        site_id=site_id, advocate_state=holder.advocate_state, user_id=holder.user_id, now=now
    )
    if picked is None:
        return None
    return _make(
        Terms.objects.get(pk=picked.terms_id),
        Advocate.objects.get(pk=holder.advocate_id),
        tied,
        user,
        since=now,
        source=Claim.Source.CODE,
        language=language,
        now=now,
    )


def _make(
    terms: Terms,
    advocate: Advocate,
    tied: Claim | None,
    user: Any,
    *,
    since: datetime,
    source: str,
    language: str,
    now: datetime,
    visit: Visit | None = None,
) -> Claim | None:
    data = parse(terms)
    earlier = tied or (tracking.open_claim_of(user, now=now) if user is not None else None)
    if earlier is not None and (_touched(earlier) <= since) == (data.touch == "first"):
        return earlier
    refusal = _refusal(advocate, user, expires_at=since + timedelta(days=data.window_days), now=now)
    if refusal:
        _record_refusal(advocate, visit, refusal, now)
        return None
    with transaction.atomic():
        held = budget.hold(data)
        if held is None:
            forget_open_terms()
            _record_refusal(advocate, visit, "budget", now)
            return None
        claim, created = tracking.create_claim(
            visit=visit,
            advocate_id=advocate.pk,
            terms=terms,
            source=source,
            user=user,
            language=language,
            now=now,
        )
        if not created:
            # Two requests of one visitor at once: the other one made it, and holds the budget for it.
            budget.release(data.program_key, held)
            return claim
        claim.held = {currency: str(amount) for currency, amount in held.items()}
        claim.save(update_fields=["held"])
        if budget.limits(data) and budget.used_up(data, budget.rows_of(data.program_key)):
            # Nobody else is shown an offer that they cannot have.
            transaction.on_commit(forget_open_terms, robust=True)
        timeline.record("claim", claim=claim, data={"source": source}, key=f"claim:{claim.pk}", now=now)
        discounts.offer_discounts(claim, data, now=now)
        if user is not None:
            discounts.bind_person(claim, user=user, now=now)
        if earlier is not None and earlier.state == Claim.State.OPEN:
            end_claim(earlier, Claim.State.REPLACED, now=now)
    return claim


def _record_refusal(advocate: Advocate, visit: Visit | None, reason: str, now: datetime) -> None:
    """Once for a visit, however often its visitor comes back with something in the basket."""
    key = f"claim_refused:{visit.pk}:{reason}" if visit is not None else None
    timeline.record("claim_refused", advocate=advocate, data={"reason": reason}, key=key, now=now)


def _touched(claim: Claim) -> datetime:
    """When the link was followed or the code typed: the commitment comes later, maybe after another link's."""
    return claim.visit.created_at if claim.visit is not None else claim.created_at


def _refusal(advocate: Advocate, user: Any, *, expires_at: datetime, now: datetime) -> str:
    if user is not None and user.pk == advocate.user_id:
        return "own_link"
    if advocate.state == Advocate.State.BLOCKED:
        return "advocate_blocked"
    return "window" if now > expires_at else ""


def end_claim(claim: Claim, state: str, *, now: datetime, reason: str = "") -> bool:
    """An open claim lapses or is replaced: its discounts go, and the budget is free again. Twice is once.

    ``reason`` is a code of ``referrals.REASONS``; by default what the state says.
    """
    with transaction.atomic():
        if not Claim.objects.filter(pk=claim.pk, state=Claim.State.OPEN).update(state=state):
            return False
        claim.state = state
        reason = reason or ("replaced" if state == Claim.State.REPLACED else "lapsed")
        release_hold(claim)
        discounts.withdraw(claim.discounts.select_related("claim", "reward"), reason, now=now)
        timeline.record(
            "claim_lapsed", claim=claim, data={"reason": reason}, key=f"claim_end:{claim.pk}", now=now
        )
    return True


def release_hold(claim: Claim) -> None:
    """What the claim still holds of the budget is free again. Inside a transaction, with the claim or its referral
    locked.
    """
    hold_what_is_open(claim, {})


def hold_what_is_open(claim: Claim, still: dict[str, Decimal]) -> None:
    """Hold no more of the budget than ``still``: what the claim promised and nothing has been spent on yet.

    Inside a transaction, with the claim or its referral locked.
    """
    held = {code: Decimal(amount) for code, amount in claim.held.items()}
    if held == still:
        return
    budget.release(
        claim.terms.program_key,
        {
            code: held.get(code, Decimal(0)) - still.get(code, Decimal(0))
            for code in {*held, *still}
            if held.get(code) != still.get(code)
        },
    )
    claim.held = {code: str(amount) for code, amount in still.items()}
    Claim.objects.filter(pk=claim.pk).update(held=claim.held)
    forget_open_terms()


def lapse_claims(*, now: datetime | None = None) -> int:
    """End the claims whose window is over; their number."""
    moment = now or timezone.now()
    ended = 0
    due = Claim.objects.filter(state=Claim.State.OPEN, expires_at__lt=moment).select_related("terms")
    for claim in due.order_by("expires_at").iterator(chunk_size=500):
        try:
            ended += end_claim(claim, Claim.State.LAPSED, now=moment)
        except Exception:
            logger.exception("Claim %s could not be ended; the next sweep will try again.", claim.pk)
    return ended


@dataclass(frozen=True)
class TypedCode:
    """What became of a code that somebody typed: ``message`` is for the shopper, in the current language."""

    outcome: Literal["accepted", "unknown", "refused"]
    claim: Claim | None
    message: str


def typed_code(
    text: str,
    *,
    basket_reference: str,
    user: Any = None,
    email: str = "",
    site_id: int | None = None,
    language: str = "",
    remembered: int | None = None,
    now: datetime | None = None,
) -> TypedCode:
    """A code typed into the basket, by whoever is at the keyboard. Any text is fine: unknown ones are "unknown".

    ``email`` is what a guest has given in the checkout so far: the discount is judged for it. ``remembered`` as for
    ``commit``.
    """
    moment = now or timezone.now()
    holder = find_code(text)
    if holder is None:
        return TypedCode("unknown", None, gettext("This code is not known. Please check how it is written."))
    if user is not None and user.is_authenticated and user.pk == holder.user_id:
        return TypedCode("refused", None, gettext("This is your own code. It is for your friends."))
    claim = commit(
        code=holder,
        basket_reference=basket_reference,
        user=user,
        email=email,
        language=language,
        site_id=site_id,
        remembered=remembered,
        now=moment,
    )
    if claim is None or claim.advocate_id != holder.advocate_id:
        return TypedCode("refused", claim, _not_open_words(holder, site_id, moment))
    withdrawn = claim.discounts.exclude(reason="").filter(state="void").first()
    if withdrawn is not None:
        return TypedCode(
            "refused",
            claim,
            gettext("The discount cannot be used: %(reason)s.") % {"reason": reason_words(withdrawn.reason)},
        )
    gift = friend_gets(parse(claim.terms))
    saved = gettext("Invitation saved: %(gift)s.") % {"gift": gift} if gift else gettext("Invitation saved.")
    return TypedCode("accepted", claim, saved)


def _not_open_words(holder: CodeHolder, site_id: int | None, now: datetime) -> str:
    known: dict[str, Any] = {"advocate_state": holder.advocate_state, "user_id": holder.user_id, "now": now}
    if pick_terms(site_id=site_id, **known) is None:
        site = tracking.find_site(site_of_offer(**known))
        if site is not None:
            return gettext("This invitation is for %(host)s: it gives nothing here.") % {
                "host": site.hostname
            }
    return gettext("This invitation is not open any more.")
