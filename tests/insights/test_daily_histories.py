"""Whatever happens, and whenever days are counted: the figures are what one finds by looking at each row."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import time_machine
from django.conf import settings as django_settings
from django.test import override_settings
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.admin.rows import make_advocate, make_program
from wagtail_referrals import signals
from wagtail_referrals.insights import (
    Cohort,
    DayFigures,
    People,
    Period,
    cohorts,
    differences,
    due_days,
    figures,
    fold_visits,
    people,
    read_figures,
    rebuild_days,
    refresh_days,
)
from wagtail_referrals.insights.models import DailyFigures, FiguredDay, StaleDay
from wagtail_referrals.insights.refresh import last_over
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals import timeline
from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, RemovedVisits, Share, Visit

FIRST, LAST = date(2026, 3, 1), date(2026, 4, 30)
BEGIN = datetime(2026, 3, 20, 21, tzinfo=UTC)
DAY = timedelta(days=1)
ZONES = ("UTC", "Europe/Paris", "America/Sao_Paulo", "Pacific/Auckland")
DIMENSIONS = ("", "program", "channel", "page", "language", "day", "month")
MONEY = st.decimals("0.01", "300.00", places=2)
# Each takes a second; the profile `search` has ten times as many.
EXAMPLES: int = settings.default.max_examples  # type: ignore[union-attr]


class Shop:
    """Writes rows as the engine does, with the signals that it sends. Its clock is everybody's, and only goes on."""

    def __init__(self, clock: time_machine.Traveller) -> None:
        self.clock = clock
        self.now = BEGIN
        self.advocates = list(Advocate.objects.order_by("pk"))
        self.terms = list(Terms.objects.order_by("pk"))
        # Visits that were removed, as they were.
        self.removed: list[tuple[date, Visit]] = []
        self.number = 0

    def pick(self, rows: Any, index: int) -> Any:
        found = list(rows.order_by("pk"))
        return found[index % len(found)] if found else None

    def one(self, which: int) -> Advocate:
        return self.advocates[which // 2 % len(self.advocates)]

    def later(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.clock.move_to(self.now, tick=False)

    def refresh(self, most: int | None) -> None:
        refresh_days(self.now, most=most)

    def visit(self, which: int) -> None:
        Visit.objects.create(
            advocate=self.one(which),
            terms=[*self.terms, None][which % 3],
            channel=["", "email", "qr"][which % 3],
            language=["en", "fr"][which % 2],
            page_id=[None, 5][which % 2],
            created_at=self.now,
        )

    def share(self, which: int) -> None:
        Share.objects.create(
            advocate=self.one(which),
            terms=[*self.terms, None][which % 3],
            channel="copy",
            created_at=self.now,
        )

    def claim(self, which: int) -> None:
        visit = self.pick(Visit.objects.filter(claim=None, terms__isnull=False), which) if which % 4 else None
        Claim.objects.create(
            visit=visit,
            advocate=visit.advocate if visit else self.one(which),
            terms=visit.terms if visit else self.terms[which % 2],
            source="link" if visit else "code",
            language="de",
            created_at=self.now,
            expires_at=self.now + timedelta(days=30),
        )

    def befriend(self, which: int) -> None:
        claim = self.pick(Claim.objects.filter(referral=None), which)
        if claim is not None:
            Referral.objects.create(
                terms=claim.terms,
                program_key=claim.terms.program_key,
                advocate=claim.advocate,
                claim=claim,
                registered_at=self.now if which % 2 else None,
                created_at=self.now,
            )

    def order(self, which: int, amount: Decimal, days_ago: int) -> None:
        referral = self.pick(Referral.objects.all(), which)
        if referral is None:
            return
        self.number += 1
        currency = ["EUR", "USD"][which % 2]
        reference = str(self.number)
        if which % 3 == 0:
            DiscountGrant.objects.create(
                claim=referral.claim,
                terms=referral.terms,
                rule_key=referral.terms.data["rules"][0]["key"],
                issue=0,
                kind="percentage",
                state="used",
                used_reference=reference,
                used_amount=amount / 10,
                used_currency=currency,
                created_at=self.now,
            ) if not referral.claim.discounts.exists() else None
        purchase = Purchase.objects.create(
            reference=reference,
            referral=referral,
            # An order may be recorded long after it was placed.
            placed_at=self.now - timedelta(days=days_ago),
            currency=currency,
            eligible=amount,
            total=amount,
            was_customer=which % 5 == 0,
            watch_until=self.now,
        )
        signals.purchase_recorded.send_robust(sender=Purchase, purchase=purchase, now=self.now)

    def settle(
        self,
        which: int,
        amount: Decimal,
        qualified_after: int | None,
        state: tuple[str, str],
        refunded: str | None,
        began: int,
    ) -> None:
        """What one verdict may change: facts, the state, the date on which it qualified, a reward. The job ``began``
        so many hours ago, and dates what it writes by that.
        """
        referral = self.pick(Referral.objects.all(), which)
        if referral is None:
            return
        now, before = self.now - timedelta(hours=began), referral.qualified_at
        order = referral.purchases.order_by("placed_at", "pk").first()
        referral.qualified_at = None
        if order is not None:
            order.observed = {"cancelled": refunded is None, "refunded": refunded or "0.00"}
            order.save()
            if qualified_after is not None:
                referral.qualified_at = order.placed_at + timedelta(hours=qualified_after)
        referral.state = state[0]
        referral.save()
        reward, _new = Reward.objects.get_or_create(
            referral=referral,
            terms=referral.terms,
            rule_key=referral.terms.data["rules"][0]["key"],
            side="advocate",
            occasion="registration",
            advocate=referral.advocate,
            kind="credit",
            currency="EUR",
            defaults={"created_at": now},
        )
        target = amount if referral.state == "rewarded" else Decimal(0)
        if target < reward.posted:
            taken = {"amount": str(reward.posted - target), "currency": "EUR"}
            timeline.record("reward_reduced", referral=referral, data=taken, now=now)
        reward.posted, reward.amount, reward.state = target, amount, state[1]
        if target and reward.given_at is None:
            reward.given_at = now
        reward.save()
        signals.referral_changed.send_robust(
            sender=Referral, referral=referral, qualified_before=before, now=now
        )

    def friend(self, hours: tuple[int, int, int], amount: Decimal) -> None:
        """Who came, ordered and was judged on days of their own, all of them counted."""
        number = Referral.objects.count()
        Claim.objects.create(
            advocate=self.one(number),
            terms=self.terms[number % 2],
            source="code",
            created_at=self.now,
            expires_at=self.now + 30 * DAY,
        )
        self.befriend(0)
        self.later(hours[0])
        self.order(number, amount, 0)
        self.later(hours[1])
        self.settle(number, amount, 30, ("waiting_period", "waiting"), "0.00", 0)
        self.later(hours[2])
        self.settle(number, amount, 30, ("rewarded", "given"), "0.00", 0)
        self.later(26)
        self.refresh(None)

    def fold(self) -> None:
        zone = ZoneInfo(django_settings.TIME_ZONE)
        before = {visit.pk: visit for visit in Visit.objects.select_related("terms")}
        needed = set(Visit.objects.filter(claim__isnull=False).values_list("pk", flat=True))
        window = timedelta(days=max(terms.data["window_days"] for terms in Terms.objects.all()))
        needed |= {pk for pk, visit in before.items() if visit.created_at + window >= self.now}
        fold_visits(self.now, most=None)
        gone = before.keys() - set(Visit.objects.values_list("pk", flat=True))
        assert not gone & needed
        self.removed += [(before[pk].created_at.astimezone(zone).date(), before[pk]) for pk in gone]

    def adopt(self, which: int) -> None:
        """A customer turns out to be one of whom something was known as a guest, see ``people.adopt_guest``."""
        own, guest = self.one(which), self.one(which + 2)
        own.shares.update(advocate=guest)
        signals.guest_adopted.send_robust(sender=Advocate, advocate=guest)

    def do(self, step: tuple[Any, ...]) -> None:
        name, *values = step
        getattr(self, name)(*values)


def looked_at(shop: Shop) -> dict[str, dict[str, DayFigures]]:
    """Each row by itself, in plain Python."""
    zone = ZoneInfo(django_settings.TIME_ZONE)
    found: dict[str, dict[str, DayFigures]] = {name: defaultdict(DayFigures) for name in DIMENSIONS}
    found[""][""] = DayFigures()

    def add(
        moment: datetime | date | None,
        program: Any,
        place: tuple[str, str, Any],
        currency: str = "",
        **what: Any,
    ) -> None:
        if moment is None:
            return
        day = moment.astimezone(zone).date() if isinstance(moment, datetime) else moment
        if not FIRST <= day <= LAST or not any(what.values()):
            return
        channel, language, page = place
        values = {
            "": "",
            "program": str(program or ""),
            "channel": channel,
            "page": str(page or ""),
            "language": language,
            "day": day.isoformat(),
            "month": day.isoformat()[:7],
        }
        for name, value in values.items():
            found[name][value].count(currency, what)

    def of_visit(visit: Visit) -> tuple[str, str, Any]:
        return visit.channel, visit.language, visit.page_id

    def of_claim(claim: Claim) -> tuple[str, str, Any]:
        return of_visit(claim.visit) if claim.visit else (claim.source, claim.language, None)

    for share in Share.objects.select_related("terms"):
        add(
            share.created_at,
            share.terms and share.terms.program_key,
            (share.channel, share.language, None),
            shares=1,
        )
    visits = [(visit.created_at, visit) for visit in Visit.objects.select_related("terms")]
    for moment, visit in [*visits, *shop.removed]:
        add(moment, visit.terms and visit.terms.program_key, of_visit(visit), visits=1)
    for claim in Claim.objects.select_related("visit", "terms"):
        add(claim.created_at, claim.terms.program_key, of_claim(claim), claims=1)
    for referral in Referral.objects.select_related("claim__visit"):
        where = referral.program_key, of_claim(referral.claim)
        add(referral.created_at, *where, referrals=1)
        add(referral.registered_at, *where, registered=1)
        add(referral.qualified_at, *where, qualified=1, rewarded=int(referral.state == "rewarded"))
        for number, order in enumerate(referral.purchases.order_by("placed_at", "pk")):
            cancelled = order.observed.get("cancelled", False)
            refunded = min(Decimal(order.observed.get("refunded", 0)), order.eligible)
            add(
                order.placed_at,
                *where,
                order.currency,
                orders=1,
                ordered=int(number == 0),
                repeat_orders=int(order.was_customer),
                revenue=order.eligible,
                refunded=order.eligible if cancelled else refunded,
            )
            for grant in DiscountGrant.objects.filter(used_reference=order.reference):
                if not cancelled:
                    add(order.placed_at, *where, grant.used_currency, discounts=grant.used_amount)
        for reward in referral.rewards.all():
            add(reward.given_at, *where, reward.currency, given=reward.posted)
            if reward.state == "waiting":
                add(reward.created_at, *where, reward.currency, due=reward.amount - reward.posted)
        for event in TimelineEvent.objects.filter(referral=referral, kind="reward_reduced"):
            add(event.created_at, *where, event.data["currency"], taken_back=Decimal(event.data["amount"]))
    return {name: dict(values) for name, values in found.items()}


def looked_at_people(period: Period, program: Any = None) -> People:
    """Whoever did it in the period, by their keys."""

    def advocates(rows: Any, path: str) -> int:
        theirs = rows.filter(**{path: program}) if program else rows
        found = theirs.filter(created_at__gte=period.start, created_at__lt=period.end)
        return len(set(found.values_list("advocate", flat=True)))

    links = [row for row in Advocate.objects.all() if row.created_at < period.end]
    return People(
        len(links),
        advocates(Share.objects.all(), "terms__program_key"),
        advocates(Referral.objects.all(), "program_key"),
    )


def looked_at_cohorts(period: Period, program: Any = None) -> list[Cohort]:
    """Each friend by themselves, in plain Python."""
    zone = ZoneInfo(django_settings.TIME_ZONE)
    found: dict[date, Cohort] = {}

    def month(moment: datetime) -> date:
        return moment.astimezone(zone).date().replace(day=1)

    def apart(first: date, last: date) -> int:
        return (last.year - first.year) * 12 + last.month - first.month

    for referral in Referral.objects.filter(created_at__gte=period.start, created_at__lt=period.end):
        if program and referral.program_key != program:
            continue
        arrived = month(referral.created_at)
        cohort = found.setdefault(arrived, Cohort(arrived, apart(arrived, month(timezone.now()))))
        cohort.friends += 1
        placed = Counter(max(0, apart(arrived, month(order.placed_at))) for order in referral.purchases.all())
        cohort.ordered += bool(placed)
        for since, number in placed.items():
            cohort.ordering[since] = cohort.ordering.get(since, 0) + 1
            cohort.orders[since] = cohort.orders.get(since, 0) + number
        for order in referral.purchases.all():
            revenue = cohort.revenue.setdefault(order.currency, {})
            since = max(0, apart(arrived, month(order.placed_at)))
            revenue[since] = revenue.get(since, Decimal(0)) + order.eligible
    return [cohort for _month, cohort in sorted(found.items())]


def plain(cohort: Cohort) -> Cohort:
    """Without months in which somebody ordered, but nobody for the first time in it."""
    return replace(cohort, ordering={since: number for since, number in cohort.ordering.items() if number})


# Days, months, and both.
PERIODS = [
    Period(FIRST, LAST),
    Period(date(2026, 3, 22), date(2026, 3, 22)),
    Period(date(2026, 3, 21), date(2026, 3, 24)),
    Period(date(2026, 3, 25), date(2026, 4, 2)),
    Period(date(2026, 3, 23), LAST),
    Period(date(2026, 1, 1), date(2026, 12, 31)),
]


def assert_people_and_cohorts_right(shop: Shop) -> None:
    for program in (None, shop.terms[0].program_key):
        expected = [looked_at_people(period, program) for period in PERIODS]
        assert people(*PERIODS, program_key=program) == expected
        for period in PERIODS if program is None else PERIODS[:1]:
            found = [plain(cohort) for cohort in cohorts(period, program)]
            assert found == looked_at_cohorts(period, program), (period, program)


def assert_right(shop: Shop) -> None:
    assert_people_and_cohorts_right(shop)
    read, expected = read_figures(FIRST, LAST), looked_at(shop)
    for name in DIMENSIONS:
        assert read.by(name) == expected[name], name
    half = figures(FIRST, LAST, program=shop.terms[0].program_key)[""]
    assert half == expected["program"].get(str(shop.terms[0].program_key), DayFigures())


def whole(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


STATES = [("rewarded", "given"), ("waiting_period", "waiting"), ("taken_back", "taken_back")]
SETTLE = st.tuples(
    st.just("settle"),
    whole(5),
    MONEY,
    st.sampled_from([30, None, 0, 55]),
    st.sampled_from(STATES),
    st.sampled_from(["0.00", "7.50", "900.00", None]),
    st.sampled_from([0, 0, 3, 30]),
)
STEPS = st.one_of(
    st.tuples(st.just("later"), whole(60)),
    st.tuples(st.just("visit"), whole(5)),
    st.tuples(st.just("share"), whole(11)),
    st.tuples(st.just("adopt"), whole(5)),
    st.tuples(st.just("claim"), whole(23)),
    st.tuples(st.just("befriend"), whole(7)),
    st.tuples(st.just("order"), whole(11), MONEY, st.sampled_from([0, 0, 1, 9])),
    SETTLE,
    SETTLE,
    st.tuples(st.just("refresh"), st.sampled_from([None, 2])),
)
# Who is there when the history begins.
FRIENDS = st.lists(
    st.tuples(st.just("friend"), st.tuples(whole(60), whole(60), whole(60)), MONEY), min_size=1, max_size=3
)
HISTORIES = st.lists(STEPS, min_size=3, max_size=15)


class RandomHistories(TestCase):
    ours: ClassVar[dict[str, Any]] = {**getattr(django_settings, "WAGTAIL_REFERRALS", {}), "VISITS_DAYS": 1}

    @classmethod
    def setUpTestData(cls) -> None:
        for number in range(3):
            made = make_advocate(f"advocate{number}@example.com", f"Advocate {number}")
            made.created_at = BEGIN + (number - 1) * DAY
            made.save()
        for preset in ("give_percent_get_credit", "percentage_back"):
            make_program(preset, name=preset)

    @settings(max_examples=EXAMPLES // 8)
    @given(FRIENDS, HISTORIES, st.sampled_from(ZONES))
    def test_figures_are_what_the_rows_say(self, friends: list[Any], steps: list[Any], zone: str) -> None:
        with override_settings(TIME_ZONE=zone), time_machine.travel(BEGIN, tick=False) as clock:
            shop = Shop(clock)
            for step in friends:
                shop.do(step)
            for step in steps:
                shop.do(step)
                # What is not marked is found before it is marked by something else.
                assert figures(FIRST, LAST)[""] == looked_at(shop)[""][""], step
                assert people(PERIODS[0]) == [looked_at_people(PERIODS[0])], step
            assert_right(shop)
            shop.later(48)
            refresh_days()
            assert due_days() == []
            assert not StaleDay.objects.filter(day__lte=last_over()).exists()
            assert_right(shop)
            assert list(differences(FiguredDay.objects.values_list("day", flat=True))) == []

    @settings(max_examples=EXAMPLES // 25)
    @given(FRIENDS, HISTORIES, HISTORIES, st.permutations(ZONES))
    def test_and_when_the_site_moves(
        self, friends: list[Any], steps: list[Any], more: list[Any], zones: list[str]
    ) -> None:
        with time_machine.travel(BEGIN, tick=False) as clock:
            shop = Shop(clock)
            for zone, some in zip(zones, ([*friends, *steps], more), strict=False):
                with override_settings(TIME_ZONE=zone):
                    assert_right(shop)
                    for step in some:
                        shop.do(step)
                    assert_right(shop)
                    refresh_days()
                    assert_right(shop)

    @settings(max_examples=EXAMPLES // 16)
    @given(
        st.lists(
            st.one_of(STEPS, st.tuples(st.just("visit"), whole(5)), st.tuples(st.just("fold"))), min_size=5
        ),
        st.sampled_from(ZONES),
        whole(4),
    )
    def test_and_when_visits_are_folded(self, steps: list[Any], zone: str, window: int) -> None:
        with (
            override_settings(TIME_ZONE=zone, WAGTAIL_REFERRALS=self.ours),
            time_machine.travel(BEGIN, tick=False) as clock,
        ):
            shop = Shop(clock)
            for terms in shop.terms:
                terms.data["window_days"] = window
                terms.save()
            for step in steps:
                shop.do(step)
                assert figures(FIRST, LAST)[""] == looked_at(shop)[""][""], step
            shop.later(24 * (window + 4))
            refresh_days()
            before = looked_at(shop)
            shop.fold()
            assert not Visit.objects.filter(claim=None).exists()
            assert looked_at(shop) == before
            assert_right(shop)
            rebuild_days(BEGIN.date() - DAY, shop.now.date())
            assert_right(shop)
            assert list(differences(FiguredDay.objects.values_list("day", flat=True))) == []
            kept = sum(RemovedVisits.objects.values_list("number", flat=True))
            removed = sum(DailyFigures.objects.values_list("visits_removed", flat=True))
            assert kept == removed == len(shop.removed)
