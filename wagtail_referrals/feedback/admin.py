"""What people answered, in the admin: the score of each program, and the answers themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.contrib.forms.views import SubmissionsListView

from wagtail_referrals.admin.columns import Column, FileColumn
from wagtail_referrals.admin.listing import BATCH, ListingMixin
from wagtail_referrals.admin.period import PeriodView
from wagtail_referrals.admin.reports import Report
from wagtail_referrals.feedback.groups import APP, READ
from wagtail_referrals.feedback.models import FeedbackSubmission
from wagtail_referrals.feedback.score import scores, together
from wagtail_referrals.insights import Period
from wagtail_referrals.programs import program_names

PERMISSION: Final = f"{APP}.{READ}"
URL_NAME: Final = "referral_feedback"
PAGE_SIZE: Final = 20


class FeedbackListView(ListingMixin, SubmissionsListView):
    """Wagtail's listing of a page's answers, with our downloads and a choice of columns: the questions."""

    @cached_property
    def columns(self) -> list[Column]:
        return [
            Column(name, label=label, accessor=lambda answer, name=name: answer.get_data().get(name))
            for name, label in self.form_page.get_data_fields()
        ]

    @property
    def listing_name(self) -> str:
        return f"{self.index_url_name}:{self.form_page.pk}"

    @property
    def file_title(self) -> str:
        return str(self.form_page.slug)

    def known_parameters(self) -> set[str]:
        # Wagtail's name for it in this listing.
        return {*super().known_parameters(), "order_by"}

    def export_cells(self, columns: list[FileColumn]) -> Iterator[list[Any]]:
        for row in super().export_cells(columns):
            yield [_in_words(value) if isinstance(value, bool | list) else value for value in row]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        names = [column.name for column in self.columns]
        shown = [names.index(column.name) for column in self.shown]
        context["data_headings"] = [context["data_headings"][place] for place in shown]
        for row in context["data_rows"]:
            row["fields"] = [row["fields"][place] for place in shown]
        return context


class FeedbackView(PeriodView):
    """The net promoter score by program and period, with the answers behind it."""

    template_name = "wagtail_referrals/admin/feedback.html"
    page_title = _("Feedback")
    header_icon = "comment"
    permission = PERMISSION
    first_period = "year"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.labels: dict[int, dict[str, str]] = {}

    def figures(self, period: Period, program: UUID | None) -> dict[str, Any]:
        found = scores(period.start, period.end, program)
        query = self.request.GET.copy()
        query.pop("p", None)
        return {
            "scores": found,
            "total": together(found),
            "answers": self.answers(period, program),
            "query": query.urlencode(),
        }

    def submissions(self, period: Period, program: UUID | None) -> QuerySet[FeedbackSubmission]:
        """What was answered, the latest first."""
        found = FeedbackSubmission.objects.filter(submit_time__gte=period.start, submit_time__lt=period.end)
        if program is not None:
            found = found.filter(program_key=program)
        return found.select_related("page").order_by("-submit_time", "-pk")

    def in_words(self, submission: FeedbackSubmission) -> list[tuple[str, str]]:
        """Questions and answers. A question that was removed since still has its answers. A query for each page."""
        if submission.page_id not in self.labels:
            self.labels[submission.page_id] = {
                field.clean_name: field.label for field in submission.page.specific.get_form_fields()
            }
        labels, given = self.labels[submission.page_id], submission.form_data
        # In the order of the page: PostgreSQL keeps none.
        names = [*(name for name in labels if name in given), *sorted(given.keys() - labels.keys())]
        return [
            (labels.get(name, name), _in_words(given[name]))
            for name in names
            if given[name] not in ("", None, [])
        ]

    def answers(self, period: Period, program: UUID | None) -> Any:
        """One page of what was answered. A constant number of queries."""
        page: Any = Paginator(self.submissions(period, program), PAGE_SIZE).get_page(
            self.request.GET.get("p")
        )
        names = program_names()
        sees_referrals = self.request.user.has_perm("wagtail_referrals.view_referral")
        page.object_list = [
            {
                "when": submission.submit_time,
                "rating": submission.rating,
                "side": submission.get_side_display(),
                "program": names.get(str(submission.program_key), ""),
                "url": reverse("wagtail_referrals_referrals:inspect", args=[submission.referral_id])
                if sees_referrals
                else "",
                "answers": self.in_words(submission),
            }
            for submission in page.object_list
        ]
        return page

    def sheet(self) -> tuple[list[Any], Iterator[list[Any]]]:
        """Every answer of the period."""
        headings = [
            _("Date"),
            capfirst(gettext("rating")),
            capfirst(gettext("who")),
            _("Program"),
            _("Answers"),
        ]
        return headings, self.answer_rows()

    def answer_rows(self) -> Iterator[list[Any]]:
        names = program_names()
        for submission in self.submissions(self.period, self.program).iterator(chunk_size=BATCH):
            yield [
                submission.submit_time,
                submission.rating,
                submission.get_side_display(),
                names.get(str(submission.program_key), ""),
                " · ".join(
                    gettext("“%(question)s” %(answer)s") % {"question": question, "answer": answer}
                    for question, answer in self.in_words(submission)
                ),
            ]


def _in_words(answer: Any) -> str:
    if isinstance(answer, bool):
        return str(_("Yes") if answer else _("No"))
    return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)


def feedback_report() -> Report:
    return Report(URL_NAME, FeedbackView.page_title, PERMISSION, order=900)
