""" "This order came by a friend": said at checkout by who ordered, or afterwards by who referred.

What somebody says is written down, and nothing is looked up while they wait: so no answer tells whether a person or
an order exists. The sweep looks who is meant. Where name and town mean one customer, who refers, that one is asked;
staff decide about all others, and about every order that a referrer reports.

Who is confirmed gets a claim from the moment when it was said, and the order is recorded like any other: checks, the
waiting period and caps judge it as always. Requests about one order are locked together, in the order of their keys,
before anything else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from wagtail.models import Site

from wagtail_referrals import signals, tracking
from wagtail_referrals.people import mask, proposed_name
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import budget, forget_open_terms, in_audience, open_terms, parse, was_closed
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.attribution import record_purchase, referrals_of
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.referrals.reasons import reason_for_advocate, reason_words
from wagtail_referrals.referrals.shop import PlacedOrder, get_shop, shop_order, shop_people_named
from wagtail_referrals.tracking.models import Claim

logger = logging.getLogger("wagtail_referrals")

# How many orders of one referrer may wait for an answer.
MOST_REPORTED: Final = 5
# How long somebody may take to decide.
DAYS: Final = 30
# How many of the decided ones a referrer is shown.
SHOWN: Final = 20

# What staff should look at: no referrer is asked about it.
FOR_STAFF: Final = Q(state=AttributionRequest.State.WAITING) & (
    Q(kind=AttributionRequest.Kind.REPORTED) | Q(matched_at__isnull=False, advocate=None)
)

_REFERENCE_LENGTH: Final = 64


class RequestError(Exception):
    """What was asked cannot be done; the text says why, for people, in the current language."""


@dataclass(frozen=True)
class RequestForAdvocate:
    """A request as the referrer sees it.

    ``needs_answer``: somebody named them, and they say whether that is so. ``reference`` is the order number that they
    reported, "" for one that is not theirs to know; ``friend`` is the friend's name, masked, "" when not known.
    ``why`` is a sentence about the state, "" where that says all.
    """

    pk: int
    needs_answer: bool
    reference: str
    friend: str
    state: str
    state_words: str
    why: str
    created_at: datetime
    decided_at: datetime | None


# Who refers: reporting, answering


def report_order(
    advocate: Advocate, reference: str, *, site_id: int | None = None, now: datetime | None = None
) -> AttributionRequest:
    """The referrer says that the friend they sent placed this order. Staff will look; reporting it twice is once.

    Whether there is such an order is not looked up. ``site_id`` is the key of the Wagtail site on which it is
    reported, whose programs count. Raises ``RequestError`` where the number cannot be one, where the referrer has too
    many waiting, and for who cannot refer at the moment.
    """
    number = clean_text(reference).removeprefix("#").strip()
    if not number or len(number) > _REFERENCE_LENGTH:
        raise RequestError(gettext("Please enter the number of your friend's order."))
    moment = now or timezone.now()
    with transaction.atomic():
        # One after the other, so that the limit holds.
        locked = Advocate.objects.select_for_update(no_key=True).get(pk=advocate.pk)
        if locked.state != Advocate.State.ACTIVE:
            raise RequestError(gettext("Your account cannot refer friends at the moment."))
        theirs = AttributionRequest.objects.filter(advocate=locked, kind=AttributionRequest.Kind.REPORTED)
        earlier = theirs.filter(reference=number).first()
        if earlier is not None:
            return earlier
        if theirs.filter(state=AttributionRequest.State.WAITING).count() >= MOST_REPORTED:
            raise RequestError(
                gettext(
                    "We are still looking at the orders that you have told us about. Please wait for our answer."
                )
            )
        request = AttributionRequest.objects.create(
            kind=AttributionRequest.Kind.REPORTED,
            advocate=locked,
            reference=number,
            site_id=site_id,
            language=locked.language,
            created_at=moment,
            matched_at=moment,
        )
        timeline.record(
            "order_reported",
            advocate=locked,
            data={"reference": number},
            key=f"reported:{request.pk}",
            now=moment,
        )
    return request


def requests_of(advocate: Advocate) -> list[RequestForAdvocate]:
    """What waits for the referrer's answer, then what they reported, newest first. One query."""
    asked = Q(kind=AttributionRequest.Kind.NAMED, state=AttributionRequest.State.WAITING) & ~Q(reference="")
    reported = Q(kind=AttributionRequest.Kind.REPORTED)
    rows = AttributionRequest.objects.filter(asked | reported, advocate=advocate).select_related("friend")
    # "named" comes before "reported".
    return [
        _for_advocate(row) for row in rows.order_by("kind", "-created_at", "-pk")[: MOST_REPORTED + SHOWN]
    ]


def _for_advocate(request: AttributionRequest) -> RequestForAdvocate:
    is_own = request.kind == AttributionRequest.Kind.REPORTED
    name = proposed_name(request.friend) if request.friend is not None and not is_own else ""
    return RequestForAdvocate(
        pk=request.pk,
        needs_answer=not is_own,
        reference=request.reference if is_own else "",
        friend=mask(name) if name else "",
        state=request.state,
        state_words=request.get_state_display(),
        why=capfirst(reason_for_advocate(request.reason)) if request.reason else "",
        created_at=request.created_at,
        decided_at=request.decided_at,
    )


def answer_request(
    request_id: int, advocate: Advocate, confirmed: bool, *, now: datetime | None = None
) -> AttributionRequest:
    """The referrer who was named says whether that is so. The first answer counts.

    What they confirm and cannot be, e.g. because the order was cancelled, is refused with the reason. Raises
    ``RequestError`` where nothing waits for their answer, which may be somebody else's, and where they confirm but
    cannot refer at the moment: then it goes on waiting.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        request = _locked(
            AttributionRequest.objects.filter(
                pk=request_id, advocate=advocate, kind=AttributionRequest.Kind.NAMED
            ).exclude(reference="")
        )
        if request is None or request.state != AttributionRequest.State.WAITING:
            raise RequestError(gettext("This question has been answered already."))
        if not confirmed:
            _close(request, AttributionRequest.State.REFUSED, "denied", now=moment)
            return request
        if not Advocate.objects.filter(pk=advocate.pk, state=Advocate.State.ACTIVE).exists():
            raise RequestError(gettext("Your account cannot refer friends at the moment."))
        problem = _confirm(request, advocate, actor=None, now=moment)
        if problem:
            _close(request, AttributionRequest.State.REFUSED, problem, now=moment)
    return request


# Who orders: naming a friend


def name_friend(
    *,
    basket_reference: str,
    name: str,
    town: str,
    user: Any = None,
    site_id: int | None = None,
    language: str = "",
    now: datetime | None = None,
) -> None:
    """Who has this basket says who sent them. The latest word counts, until the order is placed.

    Writes it down and looks nobody up. Raises ``RequestError`` where name or town are missing, ``ValueError`` without
    a basket: what one said would be read by all who have none either.
    """
    if not basket_reference:
        raise ValueError("somebody is named with a basket")
    who, where = clean_text(name), clean_text(town)
    if not who or not where:
        raise RequestError(gettext("Please give your friend's first and last name, and the town."))
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    values = {
        "given_name": who[:100],
        "given_town": where[:100],
        "friend": known,
        "site_id": site_id,
        "language": language,
        "created_at": now or timezone.now(),
    }
    waiting = AttributionRequest.objects.filter(
        kind=AttributionRequest.Kind.NAMED, basket_reference=str(basket_reference)
    )
    if waiting.filter(reference="", state=AttributionRequest.State.WAITING).update(**values):
        return
    AttributionRequest.objects.bulk_create(
        [
            AttributionRequest(
                kind=AttributionRequest.Kind.NAMED, basket_reference=str(basket_reference), **values
            )
        ],
        ignore_conflicts=True,
    )


def named_friend(basket_reference: str) -> AttributionRequest | None:
    """What was said with this basket, as long as its order is not placed. One query."""
    return AttributionRequest.objects.filter(
        kind=AttributionRequest.Kind.NAMED,
        basket_reference=str(basket_reference),
        reference="",
        state=AttributionRequest.State.WAITING,
    ).first()


def unname_friend(basket_reference: str) -> None:
    """Forget what was said with this basket, as long as its order is not placed."""
    AttributionRequest.objects.filter(
        kind=AttributionRequest.Kind.NAMED, basket_reference=str(basket_reference), reference=""
    ).delete()


def note_order(reference: str, *, basket_reference: str, user: Any = None) -> bool:
    """The basket became this order. Whether somebody was named with it. One statement; twice is once."""
    known = user if user is not None and getattr(user, "is_authenticated", False) else None
    return bool(
        AttributionRequest.objects.filter(
            kind=AttributionRequest.Kind.NAMED, basket_reference=str(basket_reference), reference=""
        ).update(reference=str(reference), friend=known)
    )


# Staff: deciding


def decide_request(
    request_id: int,
    *,
    confirmed: bool,
    actor: Any,
    note: str = "",
    advocate: Advocate | None = None,
    now: datetime | None = None,
) -> Referral | None:
    """A member of staff decides; the referral that the order belongs to from now on, ``None`` when refused.

    ``advocate`` says who was meant, where the request does not. Settles nothing: the sweep does. Raises
    ``RequestError``, and changes nothing, where somebody has decided already, where nobody is said to have referred,
    and where the order cannot belong to them.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        request = _locked(AttributionRequest.objects.filter(pk=request_id).exclude(reference=""))
        if request is None or request.state != AttributionRequest.State.WAITING:
            raise RequestError(gettext("Somebody has decided in the meantime. Please look again."))
        if not confirmed:
            _close(
                request, AttributionRequest.State.REFUSED, "not_matched", actor=actor, note=note, now=moment
            )
            return None
        referrer = advocate or request.advocate
        if referrer is None:
            raise RequestError(gettext("Say who referred the friend."))
        if request.kind == AttributionRequest.Kind.REPORTED and referrer.pk != request.advocate_id:
            raise RequestError(gettext("Only the referrer who reported the order can be confirmed."))
        problem = _confirm(request, referrer, actor=actor, note=note, now=moment)
        if problem:
            raise RequestError(
                gettext("It cannot be confirmed: %(reason)s.") % {"reason": reason_words(problem)}
            )
        return request.referral


def request_problem(request: AttributionRequest, advocate: Advocate | None = None) -> str:
    """What speaks against confirming it now, as a code of ``REASONS``; "" when nothing does. Changes nothing."""
    referrer = advocate or request.advocate
    if referrer is None:
        order = shop_order(request.reference, ())
        return _order_problem(request.reference, order)
    return _prospect(request, referrer, timezone.now()).problem


def candidates(request: AttributionRequest) -> list[Advocate]:
    """Referrers whom the name that was given may mean, as the shop knows them now; none once it is decided."""
    if not request.given_name:
        return []
    found = Advocate.objects.filter(user__in=shop_people_named(request.given_name, request.given_town))
    return list(found.exclude(user=request.friend_id).select_related("user").order_by("pk"))


# The sweep


def match_requests(*, now: datetime | None = None) -> int:
    """Look whom the names of placed orders mean, and ask the only one that it can be; how many were looked up."""
    moment = now or timezone.now()
    waiting = AttributionRequest.objects.filter(
        kind=AttributionRequest.Kind.NAMED, state=AttributionRequest.State.WAITING, matched_at=None
    ).exclude(reference="")
    number = 0
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)[:500]):
        try:
            with transaction.atomic():
                number += _match(pk, moment)
        except Exception:
            logger.exception("Request %s could not be matched; the next sweep will try again.", pk)
    return number


def _match(pk: int, now: datetime) -> bool:
    request = _locked(AttributionRequest.objects.filter(pk=pk, matched_at=None).exclude(reference=""))
    if request is None or request.state != AttributionRequest.State.WAITING:
        return False
    if Purchase.objects.filter(reference=request.reference).exists():
        # By a link or a code after all.
        _close(request, AttributionRequest.State.REFUSED, "other_referral", now=now)
        return True
    meant = set(shop_people_named(request.given_name, request.given_town)) - {request.friend_id}
    request.matched_at = now
    # Who has no code has sent nobody; but as long as the name means somebody else too, nobody is asked.
    if len(meant) == 1:
        request.advocate = Advocate.objects.filter(user__in=meant, state=Advocate.State.ACTIVE).first()
    request.save(update_fields=["matched_at", "advocate"])
    if request.advocate is not None:
        timeline.record("friend_named", advocate=request.advocate, key=f"named:{request.pk}", now=now)
    return True


def lapse_requests(*, now: datetime | None = None) -> int:
    """End what nobody has decided in time, and forget what was said with baskets that were never ordered; how many."""
    moment = now or timezone.now()
    old = AttributionRequest.objects.filter(
        state=AttributionRequest.State.WAITING, created_at__lt=moment - timedelta(days=DAYS)
    )
    number, _by_model = old.filter(reference="").delete()
    for pk in list(old.values_list("pk", flat=True)):
        with transaction.atomic():
            request = _locked(old.filter(pk=pk))
            if request is not None and request.state == AttributionRequest.State.WAITING:
                _close(request, AttributionRequest.State.LAPSED, "unanswered", now=moment)
                number += 1
    return number


# People who go


def forget_requests(user: Any) -> None:
    """Before a user is deleted: what they said, or what waits for them, goes; what was decided stays without a note."""
    theirs = AttributionRequest.objects.filter(Q(friend=user) | Q(advocate__user=user))
    theirs.filter(state=AttributionRequest.State.WAITING).delete()
    theirs.update(note="", given_name="", given_town="")


# Deciding, under the lock


def _locked(rows: Any) -> AttributionRequest | None:
    """The only one of these rows, with all requests about the same order locked. Inside a transaction."""
    found: AttributionRequest | None = rows.first()
    if found is None:
        return None
    same = AttributionRequest.objects.select_for_update(no_key=True, of=("self",)).filter(
        reference=found.reference
    )
    locked = {row.pk: row for row in same.select_related("advocate__user", "friend").order_by("pk")}
    return locked.get(found.pk)


@dataclass
class _Prospect:
    """What a confirmation would come to. ``problem`` is a code of ``REASONS``, "" when nothing speaks against it."""

    problem: str
    order: PlacedOrder | None = None
    terms: Terms | None = None
    said_at: datetime | None = None


def _order_problem(reference: str, order: PlacedOrder | None) -> str:
    if order is None:
        return "order_unknown"
    if Purchase.objects.filter(reference=reference).exists():
        return "other_referral"
    facts = get_shop().facts([reference]).get(reference)
    return "cancelled" if facts is not None and facts.cancelled else ""


def _prospect(request: AttributionRequest, advocate: Advocate, now: datetime) -> _Prospect:
    """May the order belong to this referrer, and by which terms? Writes nothing."""
    order = shop_order(request.reference, ())
    problem = _order_problem(request.reference, order)
    if problem or order is None:
        return _Prospect(problem)
    if order.user is None and not order.email:
        # Deleted since: nobody can say whether it was the referrer, or somebody else's friend.
        return _Prospect("no_customer")
    if order.user is not None and order.user.pk == advocate.user_id:
        return _Prospect("own_order")
    if advocate.state != Advocate.State.ACTIVE:
        return _Prospect("advocate_inactive")
    placed_at = order.snapshot.placed_at
    said_at = (
        min(request.created_at, placed_at) if request.kind == AttributionRequest.Kind.NAMED else placed_at
    )
    terms = _terms_for(advocate, request.site_id, said_at, now)
    if terms is None:
        return _Prospect("not_offered")
    if placed_at > said_at + timedelta(days=parse(terms).window_days):
        return _Prospect("window")
    for referral in referrals_of(order.user, order.email):
        # The order of somebody's friend is theirs, also when it was not recorded yet.
        if referral.program_key == terms.program_key or referral.claim.created_at <= placed_at:
            return _Prospect("other_referral")
    if _came_by_another(request, order, advocate):
        return _Prospect("other_referral")
    data = parse(terms)
    described = shop_order(request.reference, [data])
    return _Prospect("", described or order, terms, said_at)


def _came_by_another(request: AttributionRequest, order: PlacedOrder, advocate: Advocate) -> bool:
    """Does an invitation of somebody else wait to be given this order? The shop did not tell of it, and may still."""
    placed_at = order.snapshot.placed_at
    tied = tracking.claim_of_basket(request.basket_reference or order.basket_reference or "-")
    return any(
        claim is not None
        and claim.advocate_id != advocate.pk
        and claim.state == Claim.State.OPEN
        and claim.created_at <= placed_at <= claim.expires_at
        for claim in (tied, tracking.open_claim_of(order.user, now=placed_at))
    )


def _terms_for(advocate: Advocate, site_id: int | None, moment: datetime, now: datetime) -> Terms | None:
    """The first program that is open and that this referrer may offer, as it was promised at that moment.

    ``None`` for a moment before a program was published, or while it was closed: nobody was sent by anybody then.
    """
    if site_id is None:
        site_id = Site.objects.filter(is_default_site=True).values_list("pk", flat=True).first()
    for offer in open_terms(site_id=site_id, now=now):
        then = Terms.objects.filter(program_key=offer.program_key, created_at__lte=moment)
        found = (
            then.filter(pk=offer.terms_id).first()
            # Those in force were written later.
            or then.order_by("-created_at", "-number").first()
        )
        if (
            found is not None
            and in_audience(offer.audience, advocate.user_id, now=now)
            and not was_closed(offer.program_key, moment)
        ):
            return found
    return None


def _confirm(
    request: AttributionRequest, advocate: Advocate, *, actor: Any, note: str = "", now: datetime
) -> str:
    """Make the order a friend's of this referrer; "", or why that cannot be. Inside a transaction, request locked."""
    prospect = _prospect(request, advocate, now)
    if prospect.problem or prospect.order is None or prospect.terms is None:
        return prospect.problem
    try:
        with transaction.atomic():
            request.referral = _attribute(
                request, advocate, prospect.order, prospect.terms, prospect.said_at, now=now
            )
    except (IntegrityError, _Taken):
        # Another process recorded the order, or this friend, a moment ago.
        return "other_referral"
    except _UsedUp:
        return "budget"
    request.advocate = advocate
    _close(request, AttributionRequest.State.CONFIRMED, "", actor=actor, note=note, now=now)
    return ""


class _Taken(Exception):
    """The order is another referral's."""


class _UsedUp(Exception):
    """The program's budget is used up."""


def _attribute(
    request: AttributionRequest,
    advocate: Advocate,
    order: PlacedOrder,
    terms: Terms,
    said_at: datetime | None,
    *,
    now: datetime,
) -> Referral:
    """The claim, and the order recorded by it. Raises ``_Taken`` and ``_UsedUp``: then nothing is to stay."""
    data = parse(terms)
    held = budget.hold(data)
    if held is None:
        raise _UsedUp
    source = Claim.Source.NAMED if request.kind == AttributionRequest.Kind.NAMED else Claim.Source.REPORTED
    claim, _created = tracking.create_claim(
        advocate_id=advocate.pk,
        terms=terms,
        source=source,
        user=order.user,
        language=request.language,
        now=said_at,
    )
    claim.held = {currency: str(amount) for currency, amount in held.items()}
    claim.save(update_fields=["held"])
    transaction.on_commit(forget_open_terms, robust=True)
    timeline.record("claim", claim=claim, data={"source": source}, key=f"claim:{claim.pk}", now=now)
    purchase = record_purchase(
        order.snapshot, claim=claim, user=order.user, email=order.email, existing=[], savepoint=False, now=now
    )
    # What the database says of the order, whoever wrote it.
    owner = Purchase.objects.filter(reference=order.snapshot.reference).values_list(
        "referral__claim", flat=True
    )
    if purchase is None or owner.first() != claim.pk:
        raise _Taken
    signals.purchase_recorded.send_robust(sender=Purchase, purchase=purchase, claim=claim, now=now)
    return purchase.referral


def _close(
    request: AttributionRequest, state: str, reason: str, *, actor: Any = None, note: str = "", now: datetime
) -> None:
    """Write the decision, and forget what was typed. Inside a transaction, request locked."""
    request.state, request.reason, request.actor, request.note = state, reason, actor, note[:500]
    request.decided_at, request.given_name, request.given_town = now, "", ""
    request.save()
    timeline.record(
        f"request_{state}",
        referral=request.referral,
        advocate=request.advocate,
        data={"reference": request.reference, "reason": reason, "kind": request.kind},
        actor=actor,
        key=f"request:{request.pk}",
        now=now,
    )


def clean_text(text: str) -> str:
    """What somebody typed, in one line, without signs that cannot be printed."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
