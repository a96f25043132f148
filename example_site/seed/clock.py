"""A clock that is moved through the past, and what a shop does every night.

Everything that happens in the history is planned for a moment and done at it, in order. Between two moments the nights
pass: Wagtail opens and closes what is scheduled, the sweep settles what is due, messages are sent.
"""

import heapq
import itertools
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone, translation

from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.rewards import sweep

NIGHT = time(3, 30)


class MovingClock:
    """Days are counted back from `now`, the real one; hours are those of the shop's time zone."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.zone = ZoneInfo(settings.TIME_ZONE)
        self.planned: list[tuple[datetime, int, Callable[[], Any]]] = []
        self.numbers = itertools.count()
        self.today: date | None = None

    def moment(self, days_ago: float, at: str = "") -> datetime:
        """`days_ago` whole days before today at this hour ("18:40"); without an hour, exactly that long ago."""
        if not at:
            return self.now - timedelta(days=days_ago)
        day = self.now.astimezone(self.zone).date() - timedelta(days=int(days_ago))
        return datetime.combine(day, time.fromisoformat(at), self.zone).astimezone(self.now.tzinfo)

    def plan(self, moment: datetime, what: Callable[[], Any]) -> None:
        """Do it then; what would be in the future does not happen."""
        if moment < self.now:
            heapq.heappush(self.planned, (moment, next(self.numbers), what))

    def run(self, day_passed: Callable[[date], Any]) -> None:
        """Do everything that is planned, also what is planned meanwhile; the clock is right again afterwards."""
        if not self.planned:
            return
        with time_machine.travel(self.planned[0][0], tick=True) as traveller:
            while self.planned:
                moment, _number, what = heapq.heappop(self.planned)
                self._pass_nights(traveller, moment, day_passed)
                # What happened before took a moment too: the clock never goes back.
                if moment > timezone.now():
                    traveller.move_to(moment)
                with translation.override(settings.LANGUAGE_CODE):
                    what()
            self._pass_nights(traveller, self.now, day_passed)
        night_work(timezone.now())

    def _pass_nights(self, traveller: Any, until: datetime, day_passed: Callable[[date], Any]) -> None:
        last = until.astimezone(self.zone).date()
        if self.today is None:
            self.today = last
        while self.today < last:
            day = self.today + timedelta(days=1)
            night = datetime.combine(day, NIGHT, self.zone).astimezone(self.now.tzinfo)
            if night > until:
                # Something happens after midnight: this night is still to come.
                break
            self.today = day
            moment = max(night, timezone.now())
            traveller.move_to(moment)
            night_work(moment)
            day_passed(self.today)


def night_work(moment: datetime) -> None:
    """What runs by itself in a shop. The sweep begins at the very moment: what is due two days after another night must
    not depend on how long each took to begin.
    """
    # A visitor's request leaves its language behind.
    with translation.override(settings.LANGUAGE_CODE):
        call_command("publish_scheduled", verbosity=0)
        sweep(now=moment)
        deliver_pending()
