"""The referral summary: how many friends came, how far they got, what it brought and cost, and whether that is more
than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.admin.behind import row_filters, rows_url
from wagtail_referrals.admin.breakdowns import DIMENSIONS, Breakdown, breakdown, by_audience
from wagtail_referrals.admin.charts import Chart, Series, percent_of
from wagtail_referrals.admin.figures import (
    MEANINGS,
    NOTHING,
    Figure,
    Reading,
    amounts,
    counted,
)
from wagtail_referrals.admin.period import PeriodView
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.programs import SUMMARY_URL
from wagtail_referrals.admin.reports import Report
from wagtail_referrals.insights import (
    DayFigures,
    FiguresRead,
    People,
    Period,
    ShopFigures,
    beside_others,
    cost,
    cost_per_new_customer,
    people,
    per,
    percent,
    period_before,
    read_figures,
    repeat_rates,
    shop_orders,
    today,
)

# Days that a chart shows one by one; longer periods by weeks, and by months.
_BY_DAY, _BY_WEEK = 62, 200


def summary_report() -> Report:
    return Report(SUMMARY_URL, pgettext_lazy("referrals", "Summary"), SUMMARY, order=10)


@dataclass(frozen=True)
class Facts:
    """All that the page says of one period. ``friends``: how many became known on each day, by "2026-11-28"."""

    period: Period
    friends: Mapping[str, int]
    total: DayFigures
    people: People


@dataclass(frozen=True)
class Step:
    """One of the funnel. ``rate`` compares it with a step before, in words of its own."""

    figure: Figure
    width: str
    rate: str = ""
    rate_label: Any = ""
    rate_definition: Any = ""


@dataclass(frozen=True)
class Steps:
    """A part of the funnel in which all steps count the same and are drawn to one scale."""

    title: Any
    steps: list[Step]


@dataclass(frozen=True)
class Side:
    """A line of the table that puts friends beside other customers."""

    name: str
    friends: list[str]
    others: list[str]

    @property
    def label(self) -> Any:
        return MEANINGS[self.name].label

    @property
    def definition(self) -> Any:
        return MEANINGS[self.name].definition


class SummaryView(PeriodView):
    template_name = "wagtail_referrals/admin/summary.html"
    page_title = _("Referral summary")
    permission = SUMMARY
    first_period = "last_30"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        programs = []
        if self.request.user.has_perms(["wagtail_referrals.change_program"]):
            programs = [{"url": reverse("wagtail_referrals_programs:list"), "label": gettext("Programs")}]
        return [*self.breadcrumbs_items, *programs, {"url": "", "label": self.page_title}]

    # What is known

    @cached_property
    def read(self) -> FiguresRead:
        """One reading of the period and of the one before: what has to be counted is counted once."""
        return read_figures(period_before(self.period).first, self.period.last, program=self.program)

    @cached_property
    def both(self) -> list[Facts]:
        periods = [self.period, period_before(self.period)]
        days = self.read.by("day", only=["referrals"])
        friends = {day: figures.referrals for day, figures in days.items()}
        # What is told apart below adds up to the whole.
        now = DayFigures()
        for figures in self.figures_by("language").values():
            now.add(figures)
        before = self.read.by("", periods[1])[""]
        active = people(*periods, program_key=self.program, kept=self.read.kept)
        return [
            Facts(period, friends, total, those)
            for period, total, those in zip(periods, (now, before), active, strict=True)
        ]

    @property
    def now(self) -> Facts:
        return self.both[0]

    @property
    def before(self) -> Facts:
        return self.both[1]

    @cached_property
    def shop(self) -> Mapping[str, ShopFigures] | None:
        return shop_orders(self.period.first, self.period.last, self.read.kept)

    def figures_by(self, of: str) -> Mapping[str, DayFigures]:
        if of not in self._by:
            self._by[of] = (
                by_audience(self.figures_by("program")) if of == "audience" else self.read.by(of, self.period)
            )
        return self._by[of]

    @cached_property
    def _by(self) -> dict[str, Mapping[str, DayFigures]]:
        return {}

    # What is said of it

    def figure(self, name: str, readings: list[Reading]) -> Figure:
        return Figure(name, readings, rows_url(name, self.request.user, self.period, self.program))

    def count(self, name: str) -> Figure:
        return self.figure(
            name, counted(name, getattr(self.now.total, name), getattr(self.before.total, name))
        )

    def money(self, name: str, of: Callable[[DayFigures], Mapping[str, Decimal]] | None = None) -> Figure:
        found = of or (lambda total: getattr(total, name))
        return self.figure(name, amounts(name, found(self.now.total), found(self.before.total)))

    @property
    def headlines(self) -> list[Figure]:
        now, before = self.now, self.before
        return [
            self.count("referrals"),
            self.count("ordered"),
            self.money("revenue"),
            self.money("cost", cost),
            self.money("cost_per_new_customer", cost_per_new_customer),
            self.figure(
                "friends_per_referrer",
                counted(
                    "friends_per_referrer",
                    per(now.total.referrals, now.people.referrers),
                    per(before.total.referrals, before.people.referrers),
                ),
            ),
        ]

    @property
    def funnel(self) -> list[Steps]:
        now, before = self.now, self.before
        total = now.total
        active, earlier = now.people, before.people
        sharing = [
            (
                self.figure("reached", counted("reached", active.reached, earlier.reached)),
                active.reached,
                None,
                "",
            ),
            (
                self.figure("sharers", counted("sharers", active.sharers, earlier.sharers)),
                active.sharers,
                percent(active.sharers, active.reached),
                "share_rate",
            ),
        ]
        times = [
            (self.count("shares"), total.shares, None, ""),
            (self.count("visits"), total.visits, per(total.visits, total.shares), "click_through"),
        ]
        people: list[tuple[Figure, int, Decimal | None, str]] = [
            (self.count("referrals"), total.referrals, None, ""),
            (self.count("registered"), total.registered, None, ""),
            (self.count("ordered"), total.ordered, percent(total.ordered, total.visits), "conversion"),
            (self.count("qualified"), total.qualified, None, ""),
            (self.count("rewarded"), total.rewarded, None, ""),
        ]
        return [
            self.steps(_("Customers who refer"), sharing),
            self.steps(_("Their links"), times),
            self.steps(_("Their friends"), people),
        ]

    @staticmethod
    def steps(title: Any, found: Sequence[tuple[Figure, int, Decimal | None, str]]) -> Steps:
        highest = max(value for _figure, value, _rate, _name in found)
        return Steps(
            title,
            [
                Step(
                    figure,
                    percent_of(value, highest),
                    _rate_words(name, rate) if name else "",
                    MEANINGS[name].label if name else "",
                    MEANINGS[name].definition if name else "",
                )
                for figure, value, rate, name in found
            ],
        )

    @property
    def account(self) -> list[Figure]:
        """What it brought, and what it cost."""
        lines = [self.count("orders"), self.money("revenue"), self.money("refunded")]
        for name in ("discounts", "given", "due", "taken_back"):
            lines.append(self.money(name))
        return lines

    @property
    def sides(self) -> list[Side]:
        """Friends beside all other customers; nothing where the shop does not say how many those are."""
        if self.shop is None:
            return []
        beside = beside_others(self.now.total, self.shop)
        friends, others = repeat_rates(self.now.total, self.shop)
        return [
            Side(
                "average_order",
                [_money_words(item.friends_average, item.currency) for item in beside],
                [_money_words(item.others_average, item.currency) for item in beside],
            ),
            Side("repeat_rate", [_percent_words(friends)], [_percent_words(others)]),
            Side(
                "part",
                [_part_words(item.part, item.currency, len(beside) > 1) for item in beside],
                [
                    _part_words(
                        None if item.part is None else 100 - item.part, item.currency, len(beside) > 1
                    )
                    for item in beside
                ],
            ),
        ]

    @property
    def breakdowns(self) -> list[Breakdown]:
        everything = self.request.GET.get("all", "")
        return [
            breakdown(
                of,
                self.figures_by(of),
                programs=self.program_names,
                everything=of == everything,
                url=self.row_url,
            )
            for of in DIMENSIONS
        ]

    @cached_property
    def program_names(self) -> dict[str, str]:
        """Those that can be chosen above, which were looked up for it."""
        choices = self.form.fields["program"].choices  # type: ignore[attr-defined]
        return {str(key): str(name) for key, name in choices if key}

    def row_url(self, of: str, key: str) -> str:
        filters = row_filters(of, key)
        if filters is None:
            return ""
        return rows_url("referrals", self.request.user, self.period, self.program, filters)

    @property
    def chart(self) -> Chart:
        return friends_chart(self.now, self.before)

    def figures(self, period: Period, program: UUID | None) -> dict[str, Any]:
        query = self.request.GET.copy()
        query.pop("all", None)
        return {
            "before": self.before.period,
            "headlines": self.headlines,
            "chart": self.chart,
            "funnel": self.funnel,
            "account": self.account,
            "sides": self.sides,
            "breakdowns": self.breakdowns,
            "meanings": [
                MEANINGS[name] for name in ("shares", "visits", "referrals", "ordered", "conversion")
            ],
            "query": query.urlencode(),
        }

    # Files

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        headings = [_("Table"), _("Row"), _("Figure"), _("Currency"), _("Value"), _("Before")]
        return headings, self.lines()

    def lines(self) -> Iterator[list[Any]]:
        """Every number of the page on a line of its own, so that currencies never share a column by chance."""
        single = [
            (pgettext("referrals", "Summary"), self.headlines),
            (gettext("Funnel"), [step.figure for steps in self.funnel for step in steps.steps]),
            (gettext("What it brought and cost"), self.account),
        ]
        for table, found in single:
            for figure in found:
                for reading in figure.readings:
                    yield [table, "", figure.label, *_cells(reading)]
        for label, number in self.chart_rows():
            yield [gettext("Friends by day"), label, MEANINGS["referrals"].label, "", number, None]
        for of in DIMENSIONS:
            whole = breakdown(of, self.figures_by(of), programs=self.program_names, everything=True)
            for row in whole.rows:
                for label, readings in zip(whole.labels, row.cells, strict=True):
                    for reading in readings:
                        yield [whole.title, row.label, label, *_cells(reading)]

    def chart_rows(self) -> Iterator[tuple[date, int]]:
        for day in _days(self.period):
            if day <= today():
                yield day, self.now.friends.get(day.isoformat(), 0)


def _cells(reading: Reading) -> list[Any]:
    if not reading.currency:
        return ["", reading.value, reading.value_before]
    return [
        credit.unit_name(reading.currency),
        *(
            credit.quantize(Decimal(value), reading.currency) if value is not None else None
            for value in (reading.value, reading.value_before)
        ),
    ]


def _rate_words(name: str, rate: Decimal | None) -> str:
    if rate is None:
        return NOTHING
    return credit.format_percent(rate) if name != "click_through" else counted(name, rate, None)[0].now


def _percent_words(value: Decimal | None) -> str:
    return NOTHING if value is None else credit.format_percent(value)


def _money_words(value: Decimal | None, currency: str) -> str:
    return NOTHING if value is None else credit.format_money(value, currency)


def _part_words(value: Decimal | None, currency: str, several: bool) -> str:
    if value is None or not several:
        return _percent_words(value)
    return gettext("%(percent)s in %(currency)s") % {
        "percent": credit.format_percent(value),
        "currency": currency,
    }


# The chart


def _days(period: Period) -> list[date]:
    return [period.first + timedelta(days=number) for number in range((period.last - period.first).days + 1)]


def _spans(period: Period, length: int) -> list[tuple[date, date]]:
    """The period in pieces of one day, of seven, or in months, as ``length`` days of it allow."""
    if length <= _BY_WEEK:
        size = 1 if length <= _BY_DAY else 7
        starts = _days(period)[::size]
    else:
        starts = [day for day in _days(period) if day.day == 1 or day == period.first]
    ends = [start - timedelta(days=1) for start in starts[1:]] + [period.last]
    return list(zip(starts, ends, strict=True))


def _span_words(span: tuple[date, date], length: int) -> str:
    first, last = span
    if length <= _BY_DAY:
        return date_format(first, "DATE_FORMAT")
    if length > _BY_WEEK:
        return date_format(first, "YEAR_MONTH_FORMAT")
    return gettext("%(first)s to %(last)s") % {
        "first": date_format(first, "DATE_FORMAT"),
        "last": date_format(last, "DATE_FORMAT"),
    }


def _tick(span: tuple[date, date], length: int) -> str:
    if length > _BY_WEEK:
        return date_format(span[0], "YEAR_MONTH_FORMAT")
    # Translators: a day and a short month under a chart, in Django's letters for dates: "Nov 28".
    return date_format(span[0], pgettext("date format", "M j"))


def friends_chart(now: Facts, before: Facts) -> Chart:
    """Friends by day, week or month, with the period before as a line over the same places."""
    length = (now.period.last - now.period.first).days + 1
    spans = _spans(now.period, length)
    earlier = [_within(span, before) for span in _spans(before.period, length)]
    # Months of a year may be one more or one less than those of another.
    earlier = [*earlier[: len(spans)], *[None] * (len(spans) - len(earlier))]
    title, heading = {
        True: (_("Friends by day"), _("Day")),
        False: (_("Friends by week"), pgettext_lazy("seven days", "Week"))
        if length <= _BY_WEEK
        else (_("Friends by month"), _("Month")),
    }[length <= _BY_DAY]
    return Chart(
        title,
        [_span_words(span, length) for span in spans],
        [
            Series(_("This period"), [_within(span, now) for span in spans]),
            Series(_("The period before"), earlier, is_line=True),
        ],
        heading,
        [_tick(span, length) for span in spans],
    )


def _within(span: tuple[date, date], facts: Facts) -> int | None:
    """``None`` for days that are still to come."""
    first, last = span
    if first > today():
        return None
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return sum(facts.friends.get(day.isoformat(), 0) for day in days)


__all__ = ["SummaryView", "summary_report"]
