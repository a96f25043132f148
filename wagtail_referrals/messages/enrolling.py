"""How people begin sequences: what happens to them, and who listens for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence as List
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.kinds import Side
from wagtail_referrals.messages import conditions
from wagtail_referrals.messages.models import Enrollment, Sequence
from wagtail_referrals.messages.sequencing import Start, starts
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Lead

logger = logging.getLogger("wagtail_referrals")

REGISTERED: Final = "friend_registered"
ORDERED: Final = "friend_ordered"
QUALIFIED: Final = "friend_qualified"
REWARDED: Final = "reward_given_friend"
REFERS: Final = "became_referrer"
LEFT_ADDRESS: Final = "address_left"

for _start in (
    Start(REGISTERED, _("a friend has opened an account"), implies=(conditions.REGISTERED,)),
    Start(
        ORDERED,
        _("a friend has ordered for the first time"),
        implies=(conditions.REGISTERED, conditions.ORDERED),
    ),
    Start(
        QUALIFIED,
        _("the first order of a friend has qualified"),
        implies=(conditions.REGISTERED, conditions.ORDERED),
    ),
    Start(
        REWARDED,
        _("a friend has been given a reward"),
        implies=(conditions.REGISTERED, conditions.REWARDED),
    ),
    Start(REFERS, _("a customer has become a referrer"), implies=(conditions.REGISTERED,)),
    Start(
        LEFT_ADDRESS,
        _("a visitor who left an address and agreed to reminders has opened the invitation"),
        for_visitors=True,
    ),
):
    starts.register(_start)


def enroll(
    start_key: str,
    *,
    cause: str,
    now: datetime,
    user: Any = None,
    lead: Lead | None = None,
    referral: Referral | None = None,
    language: str = "",
    happened_at: datetime | None = None,
    careful: bool = True,
) -> int:
    """Begin the published sequences that wait for this, with a customer or a visitor who left an address; how many.

    ``cause`` names what happened, in at most 80 signs, like "order:7": the same cause begins a sequence once. Who is on
    the way in a sequence does not begin it again. One that was published after it happened (``happened_at``, else
    ``now``) is not begun. Never raises, unless not ``careful``: see ``signals.referral_changed``. One query where no
    sequence waits for it.
    """
    if (user is None or not getattr(user, "is_active", True)) and lead is None:
        return 0
    try:
        with transaction.atomic(savepoint=careful):
            return _enroll(start_key, cause, now, user, lead, referral, language, happened_at or now)
    except Exception:
        if not careful:
            raise
        logger.exception("The sequences that begin with %s (%s) could not be begun.", start_key, cause)
        return 0


def _enroll(
    start_key: str,
    cause: str,
    now: datetime,
    user: Any,
    lead: Lead | None,
    referral: Referral | None,
    language: str,
    happened_at: datetime,
) -> int:
    if lead is not None and not lead.wants_reminders:
        return 0
    program_key = None
    if referral is not None:
        program_key = referral.program_key
    elif lead is not None:
        program_key = lead.claim.terms.program_key
    on_the_way = Enrollment.objects.filter(sequence=OuterRef("pk"), state=Enrollment.State.RUNNING)
    on_the_way = on_the_way.filter(lead=lead) if lead is not None else on_the_way.filter(user=user)
    waiting = Sequence.objects.filter(
        ~Exists(on_the_way),
        Q(program=None) | Q(program__key=program_key),
        Q(first_published_at=None) | Q(first_published_at__lte=happened_at),
        Q(expire_at=None) | Q(expire_at__gt=now),
        start=start_key,
        live=True,
    )
    found: List[Sequence] = list(waiting)
    if not found:
        return 0
    if not language:
        language = _language(user, lead, referral)
    rows = [
        Enrollment(
            key=f"{sequence.key}:{cause}",
            sequence=sequence,
            user=user if lead is None else None,
            lead=lead,
            referral=referral,
            language=language,
            started_at=now,
            # The next sweep looks at it first of all.
            next_at=now,
        )
        for sequence in found
    ]
    Enrollment.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _language(user: Any, lead: Lead | None, referral: Referral | None) -> str:
    if lead is not None:
        return lead.language
    if referral is not None and referral.friend_id == user.pk:
        return referral.claim.language
    return ""


def _cause(referral: Referral) -> str:
    return f"referral:{referral.pk}"


# Who listens


def friend_registered(sender: Any, *, referral: Referral, now: datetime, **kwargs: Any) -> None:
    enroll(REGISTERED, user=referral.friend, referral=referral, cause=_cause(referral), now=now)


def referral_changed(
    sender: Any,
    *,
    referral: Referral,
    now: datetime,
    qualified_before: datetime | None = None,
    orders_changed: bool = False,
    purchases: List[Purchase] = (),
    careful: bool = True,
    **kwargs: Any,
) -> None:
    """Within settle's transaction: nothing is asked in the checkout. A guest's referral has nobody to write to."""
    if referral.friend is None:
        return
    person: dict[str, Any] = {
        "user": referral.friend,
        "referral": referral,
        "cause": _cause(referral),
        "now": now,
        "careful": careful,
    }
    kept = [purchase.placed_at for purchase in purchases if not purchase.observed.get("cancelled")]
    if orders_changed and kept:
        enroll(ORDERED, happened_at=min(kept), **person)
    if referral.qualified_at is not None and qualified_before is None:
        enroll(QUALIFIED, happened_at=referral.qualified_at, **person)


def reward_changed(
    sender: Any, *, reward: Reward, delta: Decimal, now: datetime, careful: bool = True, **kwargs: Any
) -> None:
    if delta > 0 and reward.side == Side.FRIEND:
        enroll(
            REWARDED,
            user=reward.user,
            referral=reward.referral,
            cause=f"reward:{reward.pk}",
            now=now,
            careful=careful,
        )


def advocate_saved(
    sender: Any, *, instance: Advocate, created: bool = False, raw: bool = False, **kwargs: Any
) -> None:
    if created and not raw:
        became_referrer(sender, advocate=instance)


def became_referrer(sender: Any, *, advocate: Advocate, **kwargs: Any) -> None:
    """Also a guest who refers and has opened an account."""
    if advocate.user is not None:
        enroll(
            REFERS,
            user=advocate.user,
            cause=f"referrer:{advocate.pk}",
            language=advocate.language,
            now=timezone.now(),
        )


def address_opened(lead: Lead, *, now: datetime) -> None:
    """The link in the mail was followed: the mailbox is theirs, and who agreed to reminders can be sent some."""
    enroll(LEFT_ADDRESS, lead=lead, cause=f"lead:{lead.pk}", now=now)
