"""The kind of reward that is a membership or a pass."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any, Final

from django import forms
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships import sequences
from oscar_integration.memberships.models import Membership, Period, Plan
from oscar_integration.memberships.opening import add_period, take_back
from oscar_integration.memberships.settle import lock, settle_locked
from oscar_integration.memberships.triggers import names_of
from wagtail_referrals.kinds import (
    HadAlready,
    Objection,
    Posting,
    RewardKind,
    Rule,
    in_language,
    register_annotator,
    register_objector,
)

# Options of the rule: the plan's number, its names by language, how long and how often it can be used, all as it was
# when the rule was written; and whether another membership that the customer has is prolonged in its place.
PLAN: Final = "gift_plan"
NAMES: Final = "gift_plan_names"
PERIOD: Final = "gift_plan_period"
PROLONGS: Final = "gift_plan_prolongs"


class MembershipKind(RewardKind):
    """One period of a plan, from when it is given.

    Who has that membership has it for longer. So has, where the rule says so, who has another one: for as long as the
    plan, with no fewer uses than they have. What is for trying out prolongs nothing, and is given once.
    """

    key = "membership"
    label = _("Membership or pass")
    only_writes_rows = True

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            PLAN: forms.ModelChoiceField(
                Plan.objects.prefetch_related("names"),
                label=_("Plan"),
                help_text=_(
                    "One period is given, as the plan is now: if you change the plan, publish the program again. It "
                    "does not renew by itself until the customer wants it."
                ),
                error_messages={"required": _("Say which plan.")},
            ),
            PROLONGS: forms.BooleanField(
                label=_("Members get their own membership extended instead"),
                initial=True,
                required=False,
                help_text=_(
                    "By as much as the plan lasts. A plan for trying out is always given beside theirs."
                ),
            ),
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        plan: Plan | None = values.get(PLAN)
        return plan_options(plan, prolongs=bool(values.get(PROLONGS))) if plan is not None else {}

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """A plan that is gone is as if it had not been chosen."""
        chosen = options.get(PLAN)
        if chosen is not None and not Plan.objects.filter(pk=chosen).exists():
            chosen = None
        return {PLAN: chosen, PROLONGS: options.get(PROLONGS, True)}

    def words(self, rule: Rule, currency: str) -> str:
        # Translators: a membership or a pass, like: a free “Day pass”
        return gettext("a free “%(plan)s”") % {"plan": in_language(rule.options.get(NAMES) or {})}

    def post(self, posting: Posting) -> None:
        if posting.amount > 0:
            _give(posting)
        else:
            _take(posting)


def plan_options(plan: Plan, *, prolongs: bool = True) -> dict[str, Any]:
    """What the terms of a rule that gives ``plan`` keep."""
    return {
        PLAN: plan.pk,
        NAMES: names_of(plan),
        PERIOD: {"length": plan.period_length, "unit": plan.period_unit, "uses": plan.uses},
        PROLONGS: prolongs,
    }


def _give(posting: Posting) -> None:
    """Raises ``Plan.DoesNotExist`` for a plan that is gone: it is tried again, should somebody make it anew."""
    options = posting.rule.options
    plan = Plan.objects.get(pk=options[PLAN])
    own = Membership.objects.filter(user=posting.user, plan=plan).exclude(state=Membership.State.ENDED)
    has_own = own.filter(Q(access_until=None) | Q(access_until__gt=posting.now)).exists()
    other = None
    if options[PROLONGS] and not plan.is_trial and not has_own:
        other = _running(posting.user, posting.now)
    promised = copy(plan)
    promised.period_length, promised.period_unit = options[PERIOD]["length"], options[PERIOD]["unit"]
    promised.uses = options[PERIOD]["uses"]
    if other is not None and other.plan.uses is None:
        promised.uses = None
    reward_id = _reward_id(posting)
    period = add_period(
        user=posting.user,
        plan=promised,
        key=posting.key,
        origin=Period.Origin.REWARD,
        kind=Period.Kind.EXTENSION if has_own or other is not None else Period.Kind.NEW,
        membership=other,
        now=posting.now,
        counts_from=posting.now,
        reward_id=reward_id,
    )
    if plan.is_trial:
        # Asked with the membership locked: whoever gives it at this moment has done so, or waits.
        before = Period.objects.filter(membership__user=posting.user, membership__plan=plan)
        if before.exclude(pk=period.pk).exclude(reward=reward_id).filter(starts_at__isnull=False).exists():
            raise HadAlready
    sequences.pass_given(period, now=posting.now)


def _running(user: Any, now: datetime) -> Membership | None:
    """The membership that is prolonged, locked: one that renews before others, then the one that runs longest."""
    theirs = Membership.objects.filter(user=user, plan__is_trial=False).exclude(state=Membership.State.ENDED)
    best_first = theirs.order_by("-renews", F("ends_at").desc(nulls_last=True), "pk")
    for pk in best_first.values_list("pk", flat=True):
        found = lock(pk)
        if found is not None:
            # That it was paid, or is over, may not have been noted so far.
            settle_locked(found, now=now)
            if found.state in (Membership.State.ACTIVE, Membership.State.PAST_DUE):
                return found
    return None


def _take(posting: Posting) -> None:
    """Take back what was given before; not what is given again after that."""
    for period in Period.objects.filter(reward=_reward_id(posting), taken_back_at=None):
        if _revision(period.key) < _revision(posting.key):
            take_back(period, Membership.Reason.TAKEN_BACK, now=posting.now)


def _reward_id(posting: Posting) -> int:
    return int(posting.source.rpartition(":")[2])


def _revision(key: str) -> int:
    """Of "reward:<id>:<revision>"."""
    return int(key.rpartition(":")[2])


# What editors are told


def objection_to(kind: RewardKind) -> Objection | None:
    if kind.key != MembershipKind.key or Plan.objects.exists():
        return None
    return Objection(gettext("There is no plan yet: make one under “Plans” first."), forbids=True)


def notes_on(kind: RewardKind) -> Sequence[str]:
    if kind.key != MembershipKind.key:
        return ()
    return [gettext("The friend gets the membership once they have an account.")]


def connect() -> None:
    """Called once, from the app's ``ready``."""
    register_objector(objection_to)
    register_annotator(notes_on)
