"""Charts that are drawn on the server as SVG, each with its numbers as a table beneath.

    {% include "wagtail_referrals/admin/_chart.html" with chart=chart only %}

A page that shows one adds ``chart_media()`` to its media. Positions are attributes in per cent of a box that takes the
size of the page: no inline style, no script needed, and letters stay as large as all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.forms import Media
from django.utils.formats import number_format
from django.utils.translation import gettext
from wagtail.admin.staticfiles import versioned_static

Number = int | Decimal

# Lines of the grid above the lowest one, at most.
_STEPS = 5
# Labels below the chart: what a desktop and what a phone has room for.
_LABELS, _PHONE_LABELS = 8, 4
# Of the room that a point has, what its bars take.
_FILLED = 0.72


def chart_media() -> Media:
    return Media(
        css={"all": [versioned_static("wagtail_referrals/admin/charts.css")]},
        js=[versioned_static("wagtail_referrals/admin/charts.js")],
    )


def percent_of(part: Number, whole: Number) -> str:
    """``part`` of ``whole`` as an attribute of SVG: "41.67%" in every language; "0%" of nothing."""
    return _position(float(part) / float(whole) * 100) if whole else "0%"


def _position(percent: float) -> str:
    return f"{percent:.2f}".rstrip("0").rstrip(".") + "%"


def _whole(value: Number) -> str:
    return str(number_format(value, decimal_pos=0 if value == int(value) else None, force_grouping=True))


@dataclass(frozen=True)
class Series:
    """One row of numbers, none below zero; ``None`` where there is none yet.

    ``shown``: how each is read, where a number alone does not say it.
    """

    label: Any
    values: Sequence[Number | None]
    shown: Sequence[str] = ()
    # A thin line, for what the bars are compared with.
    is_line: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars and lines over the same points. All series have as many values as there are ``labels``.

    ``label_heading`` heads the column of the labels in the table. ``ticks`` are shorter labels for under it,
    the labels themselves by default. ``written`` puts a number of the scale at the left into words.
    """

    title: Any
    labels: Sequence[str]
    series: Sequence[Series]
    label_heading: Any = ""
    ticks: Sequence[str] = ()
    written: Callable[[Number], str] = _whole

    def __post_init__(self) -> None:
        if any(len(series.values) != len(self.labels) for series in self.series):
            raise ValueError("a series has as many values as the chart has labels")

    @property
    def is_empty(self) -> bool:
        return not any(self._numbers)

    @property
    def _numbers(self) -> list[Number]:
        return [value for series in self.series for value in series.values if value is not None]

    @cached_property
    def step(self) -> Number:
        """Between two lines of the grid: 1, 2 or 5 times a power of ten, and whole where all values are."""
        values = self._numbers
        highest = max(values, default=0)
        if highest <= 0:
            return 1
        least = Decimal(highest) / _STEPS
        if all(value == int(value) for value in values):
            least = max(least, Decimal(1))
        size = Decimal(1).scaleb(least.adjusted())
        step = next(size * times for times in (1, 2, 5, 10) if size * times >= least)
        return int(step) if step == int(step) else step

    @cached_property
    def top(self) -> Number:
        """The value at the upper edge."""
        highest = max(self._numbers, default=0)
        return max(-(-highest // self.step), 1) * self.step

    @property
    def scale(self) -> list[dict[str, str]]:
        """The lines of the grid, the upper edge first."""
        numbers = [self.step * number for number in range(int(self.top / self.step), -1, -1)]
        return [
            {"y": percent_of(self.top - number, self.top), "text": self.written(number)} for number in numbers
        ]

    @property
    def bars(self) -> list[dict[str, Any]]:
        drawn = [series for series in self.series if not series.is_line]
        if not self.labels or not drawn:
            return []
        room = 100 / len(self.labels)
        width = room * _FILLED / len(drawn)
        return [
            {
                "number": number,
                "rects": [
                    {
                        "x": _position(index * room + room * (1 - _FILLED) / 2 + number * width),
                        "y": percent_of(self.top - value, self.top),
                        "width": _position(width),
                        "height": percent_of(value, self.top),
                    }
                    for index, value in enumerate(series.values)
                    if value
                ],
            }
            for number, series in enumerate(drawn)
        ]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Points in a box of 100 by 100 that is stretched to the size of the chart."""
        room = 100 / len(self.labels) if self.labels else 0
        return [
            {
                "number": number,
                "points": " ".join(
                    f"{(index + 0.5) * room:.2f},{100 - float(value) / float(self.top) * 100:.2f}"
                    for index, value in enumerate(series.values)
                    if value is not None
                ),
            }
            for number, series in enumerate(series for series in self.series if series.is_line)
        ]

    @property
    def legend(self) -> list[dict[str, Any]]:
        counts = {True: 0, False: 0}
        entries = []
        for series in self.series:
            entries.append(
                {"label": series.label, "is_line": series.is_line, "number": counts[series.is_line]}
            )
            counts[series.is_line] += 1
        return entries

    @property
    def points(self) -> list[dict[str, str]]:
        """Where the mouse asks what stands there, and the answer."""
        room = 100 / len(self.labels) if self.labels else 0
        return [
            {
                "x": _position(index * room),
                "width": _position(room),
                "text": gettext("%(label)s: %(values)s")
                % {
                    "label": label,
                    "values": " · ".join(
                        gettext("%(number)s (%(series)s)")
                        % {"number": self.read(series, index), "series": series.label}
                        for series in self.series
                    ),
                },
            }
            for index, label in enumerate(self.labels)
        ]

    @property
    def under(self) -> list[dict[str, Any]]:
        """Labels under the chart, at even distances; ``is_minor`` are left out on a phone."""
        count = len(self.labels)
        if not count:
            return []
        every = -(-count // _LABELS)
        shown = range(0, count, every)
        sparse = -(-len(shown) // _PHONE_LABELS)
        ticks = self.ticks or self.labels
        return [
            {
                "x": _position((index + 0.5) * 100 / count),
                "text": ticks[index],
                "is_minor": bool(place % sparse),
            }
            for place, index in enumerate(shown)
        ]

    @property
    def summary(self) -> str:
        """What who does not see the picture is told of it; all numbers are in the table."""
        if self.is_empty or not self.series:
            return gettext("Nothing in this period.")
        main = self.series[0]
        index = max(range(len(self.labels)), key=lambda place: main.values[place] or 0)
        return gettext("From %(first)s to %(last)s. Highest: %(number)s, %(label)s.") % {
            "first": self.labels[0],
            "last": self.labels[-1],
            "number": self.read(main, index),
            "label": self.labels[index],
        }

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [
            {"label": label, "values": [self.read(series, index) for series in self.series]}
            for index, label in enumerate(self.labels)
        ]

    @staticmethod
    def read(series: Series, index: int) -> str:
        if series.shown:
            return series.shown[index]
        value = series.values[index]
        return "–" if value is None else _whole(value)
