"""Leaderboards and badges: what they are read from against the referrals. Numbers and pictures, no money."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Finding, Problem, Run
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import awards, levels, standings
from wagtail_referrals.recognition.models import Badge, BadgeAward

BATCH: Final = 500

STANDING: Final = Problem(
    "standing",
    _("Numbers of friends in leaderboards that are not those of the referrals"),
    _('"manage.py referrals_recount" counts anew; the sweep does so once a day.'),
)
BADGE: Final = Problem(
    "badge",
    _("Badges that do not fit what they are given for"),
    _('"manage.py referrals_recount" gives and takes back; the sweep does so once a day.'),
)
LEVEL: Final = Problem(
    "standing_level",
    _("Places in leaderboards that are not those of the numbers"),
    _('"manage.py referrals_recount" adds up anew; the sweep does so once a day.'),
)


def rows() -> int:
    return Advocate.objects.count()


def find(run: Run) -> Iterator[Finding]:
    badges = [badge for badge in awards.badges_with_criterion() if not badge.to_recheck]
    waiting = set(Badge.objects.filter(to_recheck=True).values_list("pk", flat=True))
    run.waiting += len(waiting)
    advocates = Advocate.objects.order_by("pk").iterator(chunk_size=BATCH)
    while batch := list(islice(advocates, BATCH)):
        yield from _of_advocates(batch, badges, waiting)
        run.look_at("referrers", len(batch))
    for badge in badges:
        if badge.criterion == Badge.Criterion.FIRST:
            yield from _of_first(badge)
    for (_program, period, friends), missing in levels.differing_levels().items():
        message = gettext(
            "%(period)s: the number of referrers with %(friends)s friends differs by %(missing)s."
        ) % {"period": period, "friends": friends, "missing": abs(missing)}
        yield Finding(LEVEL, "level", f"{period}:{friends}", message, str(missing), "0")


def _of_advocates(batch: list[Advocate], badges: list[Badge], waiting: set[int]) -> Iterator[Finding]:
    ids = [advocate.pk for advocate in batch]
    wanted, there, worn = standings.tallies(ids), standings.standings_of(ids), awards.awards_of(ids)
    for advocate in batch:
        tallies = {} if standings.is_gone(advocate) else wanted[advocate.pk]
        if not standings.agree(advocate, tallies, there[advocate.pk]):
            expected = sum(
                tally.referrals for (_key, period), tally in tallies.items() if period == standings.EVER
            )
            found = sum(
                standing.referrals
                for (_key, period), standing in there[advocate.pk].items()
                if period == standings.EVER
            )
            message = gettext(
                "Referrer %(number)s: counted %(found)s, from the referrals %(expected)s; or a date, an amount or "
                "whether they are shown differs."
            ) % {"number": advocate.pk, "found": found, "expected": expected}
            yield Finding(STANDING, "referrer", advocate.pk, message, str(expected), str(found))
        known = {pk: award for pk, award in worn[advocate.pk].items() if pk not in waiting}
        deserved = awards.deserved(badges, tallies)
        if not awards.has_right_badges(deserved, known):
            has = sorted(pk for pk, award in known.items() if award.taken_back_at is None)
            message = gettext("Referrer %(number)s: wears the badges %(found)s, and should %(expected)s.") % {
                "number": advocate.pk,
                "found": has,
                "expected": sorted(deserved),
            }
            yield Finding(BADGE, "referrer", advocate.pk, message, str(sorted(deserved)), str(has))


def _of_first(badge: Badge) -> Iterator[Finding]:
    first = awards.first_of(badge)
    expected = [first.advocate_id] if first is not None else []
    found = list(
        BadgeAward.objects.filter(badge=badge, taken_back_at=None)
        .order_by("pk")
        .values_list("advocate_id", flat=True)
    )
    if found != expected:
        message = gettext("Badge %(number)s is worn by %(found)s, and should be by %(expected)s.") % {
            "number": badge.pk,
            "found": found,
            "expected": expected,
        }
        yield Finding(BADGE, "badge", badge.pk, message, str(expected), str(found))
