"""The order goes through each of the shop's statuses: what does each of them mean, and what becomes of the reward?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from oscar.core.loading import get_model

from oscar_integration.refunds import return_credit_of_cancelled
from wagtail_referrals import rewards
from wagtail_referrals.doctor import Finding, Trial, broken, crash, fine, look
from wagtail_referrals.programs import join_words
from wagtail_referrals.referrals import get_shop
from wagtail_referrals.referrals.models import Purchase
from wagtail_referrals.rewards.models import Reward

# Steps that are tried in all, along all ways through the pipeline.
STEPS: Final = 60


@dataclass
class Seen:
    """What was seen of one status: what it means, and the furthest that the reward came there."""

    meaning: tuple[str, ...] = ()
    rank: int = -1
    reward: str = ""
    is_end: bool = False


@dataclass
class Walk:
    trial: Trial
    anchor: str
    days: int
    left: int = STEPS
    seen: dict[str, Seen] = field(default_factory=dict)
    failed: dict[str, Finding] = field(default_factory=dict)


def examine_statuses(trial: Trial) -> Iterator[Finding]:
    order = trial.need("order")
    purchase = Purchase.objects.filter(reference=str(order.number)).select_related("referral__terms").first()
    data = trial.need("offer").data
    walk = Walk(trial, data.hold_anchor, data.hold_days)
    with transaction.atomic():
        _look_at(order, purchase, walk)
        _follow(order, purchase, walk, {order.status})
        transaction.set_rollback(True)
    for status, seen in walk.seen.items():
        yield _line(status, seen)
    yield from walk.failed.values()
    yield from _whole(walk)


def _follow(order: Any, purchase: Purchase | None, walk: Walk, been: set[str]) -> None:
    for status in order.available_statuses():
        if status in been or walk.left <= 0:
            continue
        walk.left -= 1
        with transaction.atomic():
            there = get_model("order", "Order")._default_manager.get(pk=order.pk)
            try:
                there.set_status(status)
                _look_at(there, purchase, walk)
                _follow(there, purchase, walk, been | {status})
            except Exception as error:
                walk.failed[status] = crash(
                    error,
                    _("The order cannot become “%(status)s”") % {"status": status},
                    _("A receiver of order_status_changed, or of saving the order, raises."),
                )
            transaction.set_rollback(True)


def _look_at(order: Any, purchase: Purchase | None, walk: Walk) -> None:
    facts = get_shop().facts([str(order.number)])[str(order.number)]
    # Such an order was paid and shipped before; that is not what its status says.
    undone = facts.cancelled or facts.refunded > 0
    meaning = [
        word
        for is_so, word in (
            (facts.cancelled, _("cancelled")),
            (facts.refunded > 0 and not facts.cancelled, _("refunded")),
            (facts.paid_at is not None and not undone, _("paid")),
            (facts.shipped_at is not None and not undone, _("shipped")),
        )
        if is_so
    ]
    if facts.cancelled:
        return_credit_of_cancelled(order)
    seen = walk.seen.setdefault(order.status, Seen())
    seen.is_end = not order.available_statuses()
    rank, words = _reward(purchase, walk)
    if rank > seen.rank:
        seen.meaning, seen.rank, seen.reward = tuple(meaning), rank, words


def _reward(purchase: Purchase | None, walk: Walk) -> tuple[int, str]:
    """How far the reward comes when the order stays so, the waiting period included."""
    if purchase is None:
        return 0, ""
    later = walk.trial.now + timedelta(days=walk.days + 1)
    rewards.settle(purchase.referral_id, now=walk.trial.now)
    rewards.settle(purchase.referral_id, now=later)
    states = set(Reward.objects.filter(referral=purchase.referral_id).values_list("state", flat=True))
    State = Reward.State
    if State.TAKEN_BACK in states:
        return 4, _("the reward is taken back")
    if {State.GIVEN, State.REDUCED} & states:
        words = ngettext(
            "the reward is given after %(days)s day", "the reward is given after %(days)s days", walk.days
        )
        return 3, words % {"days": walk.days} if walk.days else _("the reward is given at once")
    if State.TO_CHECK in states:
        return 2, _("the reward waits until somebody has checked it")
    if State.FAILED in states:
        return 2, _("the reward could not be given")
    if State.REFUSED in states:
        return 1, _("there is no reward")
    return 0, _("the reward waits")


def _line(status: str, seen: Seen) -> Finding:
    values = {"status": status, "meaning": join_words(list(seen.meaning)), "reward": seen.reward}
    if seen.meaning and seen.reward:
        words = _("“%(status)s” counts as %(meaning)s; %(reward)s.") % values
    elif seen.meaning:
        words = _("“%(status)s” counts as %(meaning)s.") % values
    elif seen.reward:
        words = _("“%(status)s” counts as nothing yet; %(reward)s.") % values
    else:
        words = _("“%(status)s” counts as nothing yet.") % values
    if seen.is_end and not seen.meaning:
        return look(
            words,
            _(
                "Orders end there. Name it in PAID_STATUSES, SHIPPED_STATUSES, CANCELLED_STATUSES or REFUNDED_STATUSES."
            ),
        )
    return fine(words)


def _whole(walk: Walk) -> Iterator[Finding]:
    meanings = {word for seen in walk.seen.values() for word in seen.meaning}
    if len(walk.seen) == 1 and not walk.failed:
        yield look(
            _("No status follows “%(status)s”: Oscar refuses every change.")
            % {"status": next(iter(walk.seen))},
            _("Give the shop an OSCAR_ORDER_STATUS_PIPELINE."),
        )
    needed = [(_("paid"), "PAID_STATUSES")]
    if walk.anchor == "shipped":
        needed.append((_("shipped"), "SHIPPED_STATUSES"))
    for word, name in needed:
        if word not in meanings:
            yield broken(
                _("No status counts as %(meaning)s: no reward would ever be given.") % {"meaning": word},
                _('Name some of the shop\'s statuses in WAGTAIL_REFERRALS_OSCAR["%(name)s"].')
                % {"name": name},
            )
    for word, name in ((_("cancelled"), "CANCELLED_STATUSES"), (_("refunded"), "REFUNDED_STATUSES")):
        if word not in meanings and len(walk.seen) > 1:
            yield look(
                _("No status counts as %(meaning)s: such orders keep their reward unless an event tells.")
                % {"meaning": word},
                _('Name one in WAGTAIL_REFERRALS_OSCAR["%(name)s"], if the shop has one.') % {"name": name},
            )
