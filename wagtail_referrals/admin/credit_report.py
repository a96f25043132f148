"""Report: referral credit that customers have, are still to get, or are to give back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.admin.credit import ACCOUNTS
from wagtail_referrals.admin.policies import SUMMARY
from wagtail_referrals.admin.report_tables import Heading, ReportRow, ReportTable
from wagtail_referrals.admin.reports import Report, ReportView
from wagtail_referrals.insights import CreditOwed, credit_owed, expiry_months

URL: Final = "wagtail_referrals_credit_report"
VIEW_ACCOUNT: Final = "wagtail_referrals_credit.view_account"
VIEW_REWARD: Final = "wagtail_referrals.view_reward"


@dataclass(frozen=True)
class Line:
    """``name`` in ``CreditOwed``; the rows behind it are ``query`` of the listing that ``permission`` opens."""

    name: str
    label: Any
    words: Any
    permission: str = VIEW_ACCOUNT
    query: str = ""
    # Left out where it is nothing everywhere.
    is_rare: bool = False


LINES: Final = [
    Line("to_spend", _("To spend"), _("What customers can pay with now.")),
    Line(
        "set_aside",
        _("Set aside"),
        _(
            "For orders whose payment is under way. It is spent, or can be spent again when the payment fails."
        ),
        query="set_aside=true",
    ),
    Line(
        "expiring",
        _("Expires within 30 days"),
        _("Of what customers can pay with now, what is lost unless they use it by then."),
        query="expiring=30",
    ),
    Line(
        "waiting",
        _("Promised, waiting"),
        _("Rewards whose order is not paid or delivered yet, or whose waiting period is not over."),
        permission=VIEW_REWARD,
        query="state=waiting",
    ),
    Line(
        "to_check",
        _("Promised, to check"),
        _("Rewards that wait for a reviewer."),
        permission=VIEW_REWARD,
        query="state=to_check",
    ),
    Line(
        "failed",
        _("Failed"),
        _("Rewards that could not be given for a technical reason, and are tried again."),
        permission=VIEW_REWARD,
        query="state=failed",
        is_rare=True,
    ),
    Line(
        "shortfall",
        _("Still to recover"),
        _(
            "Credit that was to be taken back after a refund, and was spent already. It is kept from what comes next."
        ),
        query="shortfall=true",
    ),
    Line(
        "ownerless",
        _("Without an owner"),
        _("Credit of customers who were deleted. Nobody can spend it."),
        is_rare=True,
    ),
]
COUNTS: Final = [
    Line("customers", _("Customers with credit"), _("Those who have any to spend or set aside.")),
    Line("debtors", _("Customers to recover from"), _("Those of whom some is still to recover.")),
]


def credit_report() -> Report:
    return Report(URL, _("Referral credit"), SUMMARY, order=40)


class CreditView(ReportView):
    template_name = "wagtail_referrals/admin/report_tables.html"
    page_title = _("Referral credit")
    permission = SUMMARY

    @cached_property
    def owed(self) -> list[CreditOwed]:
        return credit_owed(self.now)

    @cached_property
    def now(self) -> Any:
        return timezone.now()

    @property
    def export_filename(self) -> str:
        return f"{super().export_filename}-{timezone.localtime(self.now):%Y-%m-%d}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        moment = date_format(timezone.localtime(self.now), "DATETIME_FORMAT")
        return super().get_context_data(
            intro=gettext(
                "This is how it stands now (%(moment)s). What was given and taken back in a period is in the referral "
                "summary. Each currency, and the shop's points, stands for itself."
            )
            % {"moment": moment},
            tables=[self.now_table(), self.expiry_table()],
            **kwargs,
        )

    def now_table(self) -> ReportTable:
        rows = [
            ReportRow(
                line.label,
                [credit.format_money(getattr(item, line.name), item.currency) for item in self.owed],
                words=line.words,
                url=self.url(line),
            )
            for line in LINES
            if not line.is_rare or any(getattr(item, line.name) for item in self.owed)
        ]
        rows += [
            ReportRow(line.label, [str(getattr(item, line.name)) for item in self.owed], words=line.words)
            for line in COUNTS
        ]
        return ReportTable(
            key="now",
            title=gettext("Now"),
            head=gettext("Credit"),
            columns=self.columns(),
            rows=rows if self.owed else [],
            empty=gettext("No customer has referral credit, and none is promised."),
        )

    def expiry_table(self) -> ReportTable:
        soon = [item for item in self.owed if item.expiring_by_month]
        return ReportTable(
            key="expiry",
            title=gettext("When it expires"),
            words=gettext(
                "Of what customers can pay with now, by the month of the last day on which they can."
            ),
            head=gettext("Month"),
            columns=self.columns(),
            rows=[
                ReportRow(
                    date_format(month, "YEAR_MONTH_FORMAT"),
                    [
                        credit.format_money(item.expiring_by_month[month], item.currency)
                        if month in item.expiring_by_month
                        else ""
                        for item in self.owed
                    ],
                )
                for month in expiry_months(self.now)
            ]
            if soon
            else [],
            empty=gettext("Nothing expires in these months."),
        )

    def columns(self) -> list[Heading]:
        return [Heading(credit.unit_name(item.currency)) for item in self.owed]

    def url(self, line: Line) -> str:
        if line.name == "ownerless" or not self.request.user.has_perm(line.permission):
            return ""
        name = ACCOUNTS if line.permission == VIEW_ACCOUNT else "wagtail_referrals_rewards"
        listing = reverse(f"{name}:index")
        return f"{listing}?{line.query}" if line.query else listing

    def sheet(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        headings = [
            gettext("Currency"),
            *(line.label for line in (*LINES, *COUNTS)),
            *(
                gettext("Expires in %(month)s") % {"month": date_format(month, "YEAR_MONTH_FORMAT")}
                for month in expiry_months(self.now)
            ),
        ]
        rows = (
            [
                item.currency,
                *(getattr(item, line.name) for line in (*LINES, *COUNTS)),
                *(item.expiring_by_month.get(month) for month in expiry_months(self.now)),
            ]
            for item in self.owed
        )
        return headings, rows
