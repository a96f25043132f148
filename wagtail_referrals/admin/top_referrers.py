"""Report: who brought most friends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.admin.utils import quote
from django.db.models import Count, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.admin.period import PERIODS, PeriodForm, PeriodView
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.report_tables import Heading, ReportRow, ReportTable, amounts
from wagtail_referrals.admin.reports import Report
from wagtail_referrals.admin.words import advocate_name
from wagtail_referrals.insights import Period, money_kinds, today
from wagtail_referrals.kinds import Side
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition import TopReferrer, top_referrers
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward

URL: Final = "wagtail_referrals_top"
EVER: Final = "ever"
MOST: Final = 100

FRIENDS: Final = Heading(
    _("Friends who count"),
    _(
        "Friends whose first order met the terms in this period, as long as it was neither refused nor taken back "
        "since and is not being checked. Leaderboards and badges count the same."
    ),
)
KNOWN: Final = Heading(
    _("New friends"), _("Friends who became known in this period, by an account or an order.")
)
REVENUE: Final = Heading(
    _("Revenue"),
    _(
        "What the friends who count have ordered and paid for until today, less what was given back: goods with tax "
        "after discounts, without delivery."
    ),
)
GIVEN: Final = Heading(
    _("Rewards given"),
    _("Credit that the referrer was first given in this period, as far as it has not been taken back since."),
)


def top_report() -> Report:
    return Report(URL, _("Top referrers"), SUMMARY, order=20)


class TopForm(PeriodForm):
    """Any period, and all time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        *named, custom = PERIODS
        self.fields["period"].choices = [*named, (EVER, _("All time")), custom]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("period") != EVER:
            return super().clean()
        first = Referral.objects.order_by("created_at").values_list("created_at", flat=True).first()
        day = timezone.localtime(first, timezone.get_default_timezone()).date() if first else today()
        self.cleaned_data["dates"] = Period(min(day, today()), today())
        return self.cleaned_data


@dataclass
class Line:
    """One of the best, with their place: equals share one."""

    rank: int
    top: TopReferrer
    name: str = ""
    url: str = ""
    known: int = 0
    given: dict[str, Decimal] = field(default_factory=dict)


class TopView(PeriodView):
    template_name = "wagtail_referrals/admin/period_tables.html"
    page_title = _("Top referrers")
    permission = SUMMARY
    form_class = TopForm
    first_period = "year"

    @property
    def is_ever(self) -> bool:
        return bool(self.form.cleaned_data["period"] == EVER)

    @cached_property
    def lines(self) -> list[Line]:
        """Six queries, whatever the period."""
        days: tuple[date, date] | None = None if self.is_ever else (self.period.first, self.period.last)
        lines: list[Line] = []
        for place, top in enumerate(top_referrers(days, program_key=self.program, size=MOST), 1):
            is_equal = bool(lines) and lines[-1].top.referrals == top.referrals
            lines.append(Line(lines[-1].rank if is_equal else place, top))
        self._name(lines)
        self._count(lines)
        return lines

    def _name(self, lines: list[Line]) -> None:
        """Names are for who may look at referrers; others see figures only."""
        if not self.request.user.has_perm("wagtail_referrals.view_advocate"):
            return
        ids = [line.top.advocate_id for line in lines]
        advocates = Advocate.objects.select_related("user").in_bulk(ids)
        for line in lines:
            advocate = advocates.get(line.top.advocate_id)
            if advocate is not None:
                line.name = advocate_name(advocate)
                line.url = reverse("wagtail_referrals_advocates:inspect", args=[quote(advocate.pk)])

    def _count(self, lines: list[Line]) -> None:
        by_id = {line.top.advocate_id: line for line in lines}
        period, program = self.period, self.program
        referrals = Referral.objects.filter(advocate__in=by_id).order_by()
        rewards = Reward.objects.filter(advocate__in=by_id, side=Side.ADVOCATE, posted__gt=0).order_by()
        if not self.is_ever:
            referrals = referrals.filter(created_at__gte=period.start, created_at__lt=period.end)
            rewards = rewards.filter(given_at__gte=period.start, given_at__lt=period.end)
        if program:
            referrals, rewards = (
                referrals.filter(program_key=program),
                rewards.filter(terms__program_key=program),
            )
        for pk, number in referrals.values_list("advocate_id").annotate(number=Count("pk")):
            by_id[pk].known = number
        for pk, currency, amount in (
            rewards.filter(kind__in=money_kinds())
            .values_list("advocate_id", "currency")
            .annotate(sum=Sum("posted"))
        ):
            by_id[pk].given[currency] = credit.quantize(Decimal(amount), currency)

    def figures(self, period: Period, program: UUID | None) -> dict[str, Any]:
        return {"tables": [self.table()], "is_ever": self.is_ever}

    def table(self) -> ReportTable:
        return ReportTable(
            key="top",
            title=gettext("The referrers with most friends who count"),
            words=gettext(
                "At most %(count)s. Of those with as many friends, who had them first stands first."
            )
            % {"count": MOST},
            head=gettext("Referrer"),
            columns=[FRIENDS, KNOWN, REVENUE, GIVEN],
            rows=[
                ReportRow(
                    gettext("%(rank)s. %(name)s") % {"rank": line.rank, "name": self.named(line)},
                    [
                        str(line.top.referrals),
                        str(line.known),
                        amounts(line.top.revenue),
                        amounts(line.given),
                    ],
                    url=line.url,
                )
                for line in self.lines
            ],
            empty=gettext("Nobody brought a friend who counts in this period."),
        )

    @staticmethod
    def named(line: Line) -> str:
        return line.name or gettext("referrer %(number)s") % {"number": line.top.advocate_id}

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        # Of each currency only what there is: points are given, and nobody pays with them.
        columns = [
            (heading, money, code)
            for code in sorted({code for line in self.lines for code in (*line.top.revenue, *line.given)})
            for heading, money in ((REVENUE, revenue_of), (GIVEN, given_to))
            if any(code in money(line) for line in self.lines)
        ]
        headings: list[Any] = [gettext("Place"), gettext("Referrer"), FRIENDS.label, KNOWN.label]
        for heading, _money, code in columns:
            headings.append(
                gettext("%(figure)s (%(currency)s)")
                % {"figure": heading.label, "currency": credit.unit_name(code)}
            )
        rows = (
            [
                line.rank,
                self.named(line),
                line.top.referrals,
                line.known,
                *(
                    money(line).get(code, credit.quantize(Decimal(0), code))
                    for _heading, money, code in columns
                ),
            ]
            for line in self.lines
        )
        return headings, rows


def revenue_of(line: Line) -> dict[str, Decimal]:
    return line.top.revenue


def given_to(line: Line) -> dict[str, Decimal]:
    return line.given
