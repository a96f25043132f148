"""How far the advocate has come in a program with milestones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.utils.translation import ngettext

from wagtail_referrals import programs
from wagtail_referrals.kinds import Rule
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site.account.friends import reward_state_words


@dataclass(frozen=True)
class Milestone:
    """``number`` is that of the friend, ``gets`` what it brings. ``state`` is the words for how it stands."""

    number: int
    gets: str
    state: str
    is_reached: bool


@dataclass(frozen=True)
class Milestones:
    """``count`` friends have counted so far; ``goal`` is the number of the next milestone, 0 when there is none."""

    count: int
    goal: int
    progress: str
    next_words: str
    steps: list[Milestone]


def milestones_of(advocate: Advocate, data: TermsData) -> Milestones | None:
    """``None`` for a program without milestones. Two queries for one with them."""
    rules = _milestone_rules(data)
    if not rules:
        return None
    found: dict[str, Any] = Referral.objects.filter(
        advocate=advocate, program_key=data.program_key
    ).aggregate(last=Max("ordinal"))
    reached = {
        str(reward.rule_key): reward_state_words(reward)
        for reward in Reward.objects.filter(
            advocate=advocate, tier__isnull=False, rule_key__in=[rule.key for rule in rules]
        )
    }
    return _put_together(rules, found["last"] or 0, reached)


def ladder(data: TermsData, *, count: int = 0) -> Milestones | None:
    """What is ahead of somebody with ``count`` friends, whoever it is; ``None`` without milestones. No query."""
    rules = _milestone_rules(data)
    given = str(Reward.State.GIVEN.label)
    return _put_together(rules, count, {rule.key: given for rule in rules if (rule.occurrence or 1) <= count})


def _milestone_rules(data: TermsData) -> list[Rule]:
    rules = (rule for rule in data.advocate_rules if programs.is_milestone(rule))
    return sorted(rules, key=lambda rule: rule.occurrence or 1)


def _put_together(rules: Sequence[Rule], count: int, reached: dict[str, str]) -> Milestones | None:
    """``reached``: for each rule whose milestone was reached the words for how its reward stands."""
    steps, ahead = [], []
    for rule in rules:
        number = rule.occurrence or 1
        if rule.key in reached:
            steps.append(Milestone(number, programs.rule_gets(rule), reached[rule.key], True))
        elif number > count:
            ahead.append(rule)
            steps.append(Milestone(number, programs.rule_gets(rule), _to_go(number - count), False))
        # Else it came into the program when this number was given already: it is none of theirs.
    if not steps:
        return None
    goal = ahead[0].occurrence or 1 if ahead else 0
    gifts = programs.join_words(programs.rule_gets(rule) for rule in ahead if (rule.occurrence or 1) == goal)
    return Milestones(
        count=count,
        goal=goal,
        progress=_progress(count, goal) if goal else "",
        next_words=_next(goal - count, gifts) if goal else "",
        steps=steps,
    )


def _progress(count: int, goal: int) -> str:
    return ngettext("%(count)s of %(goal)s friend", "%(count)s of %(goal)s friends", goal) % {
        "count": count,
        "goal": goal,
    }


def _next(left: int, gifts: str) -> str:
    return ngettext(
        "Once %(left)s more friend has ordered, you get %(gift)s.",
        "Once %(left)s more friends have ordered, you get %(gift)s.",
        left,
    ) % {"left": left, "gift": gifts}


def _to_go(left: int) -> str:
    return ngettext("%(left)s friend to go", "%(left)s friends to go", left) % {"left": left}
