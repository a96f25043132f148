"""Requests about orders: what was confirmed against the referrals that came of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Finding, Problem, Run
from wagtail_referrals.referrals.models import AttributionRequest, Purchase
from wagtail_referrals.referrals.requests import DAYS
from wagtail_referrals.tracking.models import Claim

CHUNK: Final = 2000

CONFIRMED = Problem(
    "request_confirmed",
    _("Confirmed requests about orders that are not in that referral"),
    _("The order, the referral or the request was changed by hand. Compare the three."),
)
UNASKED = Problem(
    "claim_unasked",
    _("Invitations that count as named or reported, and that nobody confirmed, or before there was an offer"),
    _("They were written by hand. Look at the referral before it is paid."),
)
TEXT = Problem(
    "request_text",
    _("Decided requests that still hold what was typed"),
    _("Empty the name and the town: they are kept until somebody decides, and no longer."),
)
OVERDUE = Problem(
    "request_overdue",
    _("Requests about orders that should have been looked at or ended by now"),
    _('Does "manage.py referrals_sweep" run? It looks whom a name means, and ends what nobody decides.'),
    overdue=True,
)

_State = AttributionRequest.State


def rows() -> int:
    return AttributionRequest.objects.count()


def find(run: Run) -> Iterator[Finding]:
    run.look_at("requests", rows())
    requests = AttributionRequest.objects.order_by("pk")
    theirs = Purchase.objects.filter(
        reference=OuterRef("reference"),
        referral=OuterRef("referral"),
        referral__advocate=OuterRef("advocate"),
        referral__claim__source=OuterRef("kind"),
    )
    wrong = requests.filter(~Exists(theirs), state=_State.CONFIRMED)
    yield from _each(
        CONFIRMED,
        wrong,
        gettext("Request %(number)s was confirmed, and order %(reference)s is not in that referral."),
    )
    kept = requests.exclude(state=_State.WAITING).exclude(given_name="", given_town="")
    yield from _each(TEXT, kept, gettext("Request %(number)s about order %(reference)s still holds a name."))
    ends = run.now - timedelta(days=DAYS)
    overdue = requests.filter(state=_State.WAITING).filter(
        Q(created_at__lt=ends) | Q(matched_at=None, created_at__lt=run.long_ago) & ~Q(reference="")
    )
    for request in overdue.iterator(chunk_size=CHUNK):
        since = request.created_at + timedelta(days=DAYS) if request.created_at < ends else request.created_at
        if run.is_late(since):
            words = gettext("Request %(number)s of %(date)s waits.")
            date = f"{request.created_at:%Y-%m-%d %H:%M}"
            yield Finding(OVERDUE, "request", request.pk, words % {"number": request.pk, "date": date})
    yield from _unasked()


def _each(problem: Problem, requests: Any, words: str) -> Iterator[Finding]:
    for pk, reference in requests.values_list("pk", "reference").iterator(chunk_size=CHUNK):
        yield Finding(problem, "request", pk, words % {"number": pk, "reference": reference})


def _unasked() -> Iterator[Finding]:
    """Invitations of these two sources, each of which a confirmed request has made."""
    asked = AttributionRequest.objects.filter(referral__claim=OuterRef("pk"), state=_State.CONFIRMED)
    claims = Claim.objects.filter(source__in=(Claim.Source.NAMED, Claim.Source.REPORTED)).filter(
        ~Exists(asked) | Q(created_at__lt=F("terms__created_at"))
    )
    words = gettext(
        "Invitation %(number)s was made for an order that nobody confirmed, or that was before the offer."
    )
    for pk in claims.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=CHUNK):
        yield Finding(UNASKED, "claim", pk, words % {"number": pk})
