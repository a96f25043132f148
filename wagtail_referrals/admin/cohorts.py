"""Report: what became of the friends of each month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django import forms
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.admin.period import PeriodForm, PeriodView
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.report_tables import Heading, ReportRow, ReportTable
from wagtail_referrals.admin.reports import Report
from wagtail_referrals.insights import Cohort, Period, cohorts, percent

URL: Final = "wagtail_referrals_cohorts"
# Months after the first that are shown.
MOST: Final = 12

ORDERING: Final = "ordering"
ORDERS: Final = "orders"
REVENUE: Final = "revenue"
MEASURES: Final = [
    (ORDERING, _("Friends who ordered (%)")),
    (ORDERS, _("Orders")),
    (REVENUE, _("Revenue")),
]
WORDS: Final = {
    ORDERING: _(
        "A row for the friends who became known in one month. The columns say how many per cent of them placed an "
        "order in that same month, in the month after it, and so on: whether friends stay customers."
    ),
    ORDERS: _(
        "A row for the friends who became known in one month. The columns say how many orders they placed in that same "
        "month, in the month after it, and so on. Orders that were cancelled later count too."
    ),
    REVENUE: _(
        "A row for the friends who became known in one month. The columns say what their orders of that same month, of "
        "the month after it, and so on, came to: goods with tax after discounts, without delivery, as ordered."
    ),
}


def cohort_report() -> Report:
    return Report(URL, pgettext_lazy("report", "By month of arrival"), SUMMARY, order=30)


class CohortForm(PeriodForm):
    measure = forms.ChoiceField(label=_("Show"), choices=MEASURES, required=False)


class CohortView(PeriodView):
    template_name = "wagtail_referrals/admin/period_tables.html"
    page_title = _("Friends by month of arrival")
    permission = SUMMARY
    form_class = CohortForm
    first_period = "year"

    @property
    def measure(self) -> str:
        return str(self.form.cleaned_data["measure"] or ORDERING)

    @cached_property
    def cohorts(self) -> list[Cohort]:
        return cohorts(self.period, self.program)

    @property
    def ages(self) -> range:
        """The columns: 0 is the month itself."""
        return range(min(max((item.age for item in self.cohorts), default=0), MOST) + 1)

    def figures(self, period: Period, program: UUID | None) -> dict[str, Any]:
        return {"tables": self.tables()}

    def tables(self) -> list[ReportTable]:
        if self.measure == REVENUE:
            currencies = sorted({code for item in self.cohorts for code in item.revenue})
            return [
                self.table(f"revenue-{code}", revenue_words(code), self.revenue_in(code))
                for code in currencies
            ] or [self.table("revenue", _("Revenue"), lambda item, age: "")]
        cell = self.share if self.measure == ORDERING else self.orders
        return [self.table(self.measure, dict(MEASURES)[self.measure], cell)]

    def table(self, key: str, title: Any, cell: Callable[[Cohort, int], str]) -> ReportTable:
        return ReportTable(
            key=key,
            title=title,
            words=WORDS[self.measure],
            head=gettext("Became known"),
            columns=[
                Heading(
                    _("Friends"), _("Friends who became known in this month, as far as it is in the period.")
                ),
                Heading(
                    _("Ordered"), _("Friends of this month who have ordered until today, whenever that was.")
                ),
                *(Heading(age_words(age)) for age in self.ages),
            ],
            rows=[
                ReportRow(
                    month_words(item),
                    [
                        str(item.friends),
                        ordered_words(item),
                        *(cell(item, age) if age <= item.age else "" for age in self.ages),
                    ],
                )
                for item in self.cohorts
            ],
            empty=gettext("Nobody became known in this period."),
            notes=[gettext("A dash: this month has not begun. The present month is not over.")],
        )

    @staticmethod
    def share(item: Cohort, age: int) -> str:
        found = percent(item.ordering.get(age, 0), item.friends)
        return "" if found is None else credit.format_percent(found)

    @staticmethod
    def orders(item: Cohort, age: int) -> str:
        return str(item.orders.get(age, 0))

    @staticmethod
    def revenue_in(code: str) -> Callable[[Cohort, int], str]:
        def cell(item: Cohort, age: int) -> str:
            amount = item.revenue.get(code, {}).get(age, Decimal(0))
            return credit.format_money(amount, code)

        return cell

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        """As on the screen; numbers of friends rather than per cent, and a row for each currency."""
        headings: list[Any] = [gettext("Became known"), gettext("Friends"), gettext("Ordered")]
        if self.measure == REVENUE:
            headings.append(gettext("Currency"))
        return [*headings, *(age_words(age) for age in self.ages)], self.sheet_rows()

    def sheet_rows(self) -> Iterable[Sequence[Any]]:
        for item in self.cohorts:
            ages = [age if age <= item.age else None for age in self.ages]
            start = [item.month, item.friends, item.ordered]
            if self.measure == REVENUE:
                for code, revenue in sorted(item.revenue.items()):
                    nothing = credit.quantize(Decimal(0), code)
                    yield [
                        *start,
                        code,
                        *(None if age is None else revenue.get(age, nothing) for age in ages),
                    ]
            else:
                numbers = item.ordering if self.measure == ORDERING else item.orders
                yield [*start, *(None if age is None else numbers.get(age, 0) for age in ages)]


def revenue_words(code: str) -> str:
    return gettext("%(figure)s (%(currency)s)") % {
        "figure": gettext("Revenue"),
        "currency": credit.unit_name(code),
    }


def age_words(age: int) -> str:
    if age == 0:
        return gettext("Same month")
    return ngettext("%(count)s month later", "%(count)s months later", age) % {"count": age}


def month_words(item: Cohort) -> str:
    return date_format(item.month, "YEAR_MONTH_FORMAT")


def ordered_words(item: Cohort) -> str:
    share = percent(item.ordered, item.friends)
    if share is None:
        return str(item.ordered)
    return gettext("%(number)s (%(share)s)") % {
        "number": item.ordered,
        "share": credit.format_percent(share),
    }
