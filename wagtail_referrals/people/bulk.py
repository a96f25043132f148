"""Referrers and codes for many accounts at once, for a mailing. Else each is made when a customer asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from wagtail_referrals.people.advocates import adopt_guest, proposed_name
from wagtail_referrals.people.codes import forget_texts, new_codes
from wagtail_referrals.people.hashing import email_of_account, exact_email_key
from wagtail_referrals.people.models import Advocate, Code

BATCH: Final = 1000
# How often a batch is tried again: accounts were deleted meanwhile, or a code was somebody else's already.
_TRIES: Final = 10


def accounts_without_code(accounts: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the accounts that could share and have no code in use. Who was paused or blocked is left alone."""
    has_code = Code.objects.filter(advocate__user=OuterRef("pk"), is_active=True)
    stopped = Advocate.objects.filter(user=OuterRef("pk")).exclude(state=Advocate.State.ACTIVE)
    return accounts.filter(~Exists(has_code), ~Exists(stopped))


def make_codes(accounts: QuerySet[Any], progress: Callable[[int], None] | None = None) -> int:
    """Give each of these accounts a referrer with a code, as ``advocate_for`` does; how many codes were made.

    Nobody is told. Done in batches, each for itself, so that it may be broken off and begun again, and by two at once.
    ``progress`` is told after each batch how many accounts it had.
    """
    made = 0
    last: Any = None
    while True:
        rows = accounts_without_code(accounts).order_by("pk")
        if last is not None:
            rows = rows.filter(pk__gt=last)
        batch = list(rows[:BATCH])
        if not batch:
            return made
        last = batch[-1].pk
        made += _make_batch(batch)
        if progress is not None:
            progress(len(batch))


def _make_batch(accounts: Sequence[Any]) -> int:
    _adopt_guests(accounts)
    users = {user.pk: user for user in accounts}
    made = 0
    for attempt in range(_TRIES):
        try:
            with transaction.atomic():
                texts = _insert(users)
        except IntegrityError:
            if attempt == _TRIES - 1:
                raise
            there = get_user_model()._base_manager.filter(pk__in=list(users)).values_list("pk", flat=True)
            users = {pk: users[pk] for pk in there}
            continue
        # A visitor may have tried a code before it existed.
        forget_texts(texts)
        made += Code.objects.filter(text__in=texts, advocate__user__in=list(users)).count()
        if not accounts_without_code(get_user_model()._base_manager.filter(pk__in=list(users))).exists():
            break
    return made


def _insert(users: Mapping[Any, Any]) -> list[str]:
    """Referrers and codes for those who have none; the codes that were tried. What is taken is passed over."""
    now = timezone.now()
    theirs = Advocate.objects.filter(user__in=list(users))
    known = set(theirs.values_list("user", flat=True))
    Advocate.objects.bulk_create(
        [
            # In which language they read is known when they first open their page.
            Advocate(user_id=pk, public_name=proposed_name(user), created_at=now)
            for pk, user in users.items()
            if pk not in known
        ],
        ignore_conflicts=True,
    )
    without = theirs.exclude(Exists(Code.objects.filter(advocate=OuterRef("pk"), is_active=True)))
    advocates = list(without.order_by("pk").values_list("pk", flat=True))
    codes = [
        Code(advocate_id=pk, text=text, created_at=now)
        for pk, text in zip(advocates, new_codes(len(advocates)), strict=True)
    ]
    Code.objects.bulk_create(codes, ignore_conflicts=True)
    return [code.text for code in codes]


def _adopt_guests(accounts: Sequence[Any]) -> None:
    """Who referred as a guest goes on as the same referrer. Few do."""
    keys = {exact_email_key(email_of_account(user)): user for user in accounts}
    keys.pop("", None)
    waiting = Advocate.objects.filter(user=None, exact_email_hash__in=list(keys))
    for key in waiting.values_list("exact_email_hash", flat=True):
        adopt_guest(keys[key])


def codes_in_use(accounts: QuerySet[Any]) -> QuerySet[Code]:
    """The codes in use of those of the accounts that may share, with ``advocate``."""
    found = Code.objects.filter(
        Q(is_active=True), advocate__state=Advocate.State.ACTIVE, advocate__user__in=accounts.values("pk")
    )
    return found.select_related("advocate")
