"""Who answers: one side of a referral, known by the signed token in the link, or by being logged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core import signing
from django.db.models import Q
from django.http import HttpRequest

from wagtail_referrals.kinds import Side
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

SALT: Final = "wagtail_referrals.feedback"
PARAMETER: Final = "t"
MAX_LENGTH: Final = 200
# Half a year: what people remember after that says little.
MAX_AGE: Final = 183 * 24 * 60 * 60


@dataclass(frozen=True)
class Respondent:
    """``side`` is one of ``Side``. ``token`` names both: the one that came, whose time goes on running."""

    referral_id: int
    side: str
    program_key: UUID
    token: str


def token_for(referral_id: int, side: str) -> str:
    """What a link carries. Signed, so that nobody answers for others; it opens nothing else."""
    return signing.dumps([referral_id, side], salt=SALT)


def respondent_of(request: HttpRequest) -> Respondent | None:
    """By the token, else by the account: then it is about the last reward. ``None`` where nothing was ever rewarded."""
    token = request.POST.get(PARAMETER) or request.GET.get(PARAMETER)
    if token:
        return _by_token(token)
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return last_rewarded(user)


def last_rewarded(user: Any) -> Respondent | None:
    """The referral of which this customer was given a reward last, and on which side they are. One query."""
    reward = (
        Reward.objects.filter(user=user, posted__gt=0)
        .select_related("referral")
        .order_by("-given_at", "-pk")
        .first()
    )
    if reward is None:
        return None
    token = token_for(reward.referral_id, reward.side)
    return Respondent(reward.referral_id, reward.side, reward.referral.program_key, token)


def _by_token(token: str) -> Respondent | None:
    if len(token) > MAX_LENGTH:
        return None
    try:
        referral_id, side = signing.loads(token, salt=SALT, max_age=MAX_AGE)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if not isinstance(referral_id, int) or side not in Side.values:
        return None
    # Who has been deleted answers no more: their words would stay.
    there = ~Q(advocate__user=None) if side == Side.ADVOCATE else ~Q(friend=None)
    referral = Referral.objects.filter(there, pk=referral_id).only("pk", "program_key").first()
    return Respondent(referral.pk, side, referral.program_key, token) if referral is not None else None
