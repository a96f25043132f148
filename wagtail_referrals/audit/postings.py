"""Rewards against the ledger: what each says was handed over, and what the movements with its keys say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Finding, Problem, Run, amount_finding
from wagtail_referrals.credit.models import Entry
from wagtail_referrals.kinds import LedgerKind, reward_kinds
from wagtail_referrals.rewards.models import Reward

ZERO: Final = Decimal(0)
BATCH: Final = 1000
PREFIX: Final = "reward:"

POSTED = Problem(
    "reward_posted",
    _("Rewards that say something else than the credit account"),
    _("Look at the referral: its timeline says what was given. Correct the account by an adjustment."),
)
ELSEWHERE = Problem(
    "reward_elsewhere",
    _("Rewards that went to another customer's account, or in another currency"),
    _("Correct both accounts by an adjustment."),
)
UNKNOWN = Problem(
    "reward_unknown",
    _("Credit for rewards that do not exist"),
    _("Somebody gave credit under a reward's name. Find out who, and take it back by an adjustment."),
)


def rows() -> int:
    return Reward.objects.count()


def find(run: Run) -> Iterator[Finding]:
    rewards = (
        Reward.objects.order_by("pk")
        .values_list("pk", "kind", "currency", "posted", "revision", "user_id")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(rewards, BATCH)):
        run.look_at("rewards", len(batch))
        yield from _batch(batch)
    yield from _without_reward()


def _batch(batch: list[tuple[Any, ...]]) -> Iterator[Finding]:
    keys = [
        f"{PREFIX}{pk}:{number}" for pk, *_rest, revision, _user in batch for number in range(1, revision + 1)
    ]
    moved: dict[int, Decimal] = defaultdict(lambda: ZERO)
    owners: dict[int, dict[tuple[int | None, str], Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for key, kind, amount, shortfall, user, currency in Entry.objects.filter(key__in=keys).values_list(
        "key", "kind", "amount", "shortfall_delta", "account__user_id", "account__currency"
    ):
        pk = int(key.split(":")[1])
        # What was forgiven was taken back all the same: the reward is not with the customer any more.
        change = ZERO if kind == Entry.Kind.FORGIVEN else amount - shortfall
        owners[pk][user, currency] += change
        moved[pk] += change
    for pk, kind, currency, posted, _revision, user in batch:
        in_ledger = kind in reward_kinds and isinstance(reward_kinds.get(kind), LedgerKind)
        if (in_ledger or pk in moved) and moved[pk] != posted:
            yield amount_finding(
                POSTED,
                "reward",
                pk,
                _("Reward %(number)s: it says that %(found)s were given, the movements say %(expected)s."),
                expected=moved[pk],
                found=posted,
                currency=currency,
            )
        for (owner, unit), left in owners[pk].items():
            # Another order may have earned it after all, in its currency: then nothing is left of what was given first.
            in_other = unit != currency and left != 0
            if in_other or (owner is not None and user is not None and owner != user):
                words = gettext(
                    "Reward %(number)s of customer %(user)s: it was posted to customer %(owner)s in %(unit)s."
                )
                values = {"number": pk, "user": user, "owner": owner, "unit": unit}
                yield Finding(ELSEWHERE, "reward", pk, words % values, str(user), str(owner), currency)


def _without_reward() -> Iterator[Finding]:
    """Movements whose key names a reward, or a revision of it, that does not exist."""
    keys = (
        Entry.objects.filter(kind__in=(Entry.Kind.GRANT, Entry.Kind.CLAWBACK), key__startswith=PREFIX, part=0)
        .order_by("pk")
        .values_list("pk", "key")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(keys, BATCH)):
        named = {}
        for pk, key in batch:
            _prefix, reward, revision = [*key.split(":"), "", ""][:3]
            named[pk] = (
                int(reward) if reward.isdigit() else 0,
                int(revision) if revision.isdigit() else 0,
                key,
            )
        revisions = dict(
            Reward.objects.filter(pk__in={reward for reward, _revision, _key in named.values()}).values_list(
                "pk", "revision"
            )
        )
        for pk, (reward_id, number, key) in named.items():
            if not 1 <= number <= revisions.get(reward_id, 0):
                words = gettext("Movement %(number)s is named %(key)s, and there is no such reward.")
                yield Finding(UNKNOWN, "entry", pk, words % {"number": pk, "key": key})
