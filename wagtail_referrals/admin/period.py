"""Pages of figures over a period and a program, both chosen above them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms import Media
from django.utils.functional import cached_property
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.widgets import AdminDateInput

from wagtail_referrals.admin.reports import ReportView
from wagtail_referrals.admin.terms import program_choices
from wagtail_referrals.insights import Period, custom_period, named_period

PERIODS: Final = [
    ("last_7", _("Last 7 days")),
    ("last_30", _("Last 30 days")),
    ("last_90", _("Last 90 days")),
    ("month", _("This month")),
    ("last_month", _("Last month")),
    ("quarter", _("This quarter")),
    ("last_quarter", _("Last quarter")),
    ("year", _("This year")),
    ("last_year", _("Last year")),
    ("custom", _("From … to …")),
]


# Of a period that somebody chooses. What lies beside them has no figures, and a thousand years have too many.
FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2099, 12, 31)


class DayField(forms.DateField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            required=False,
            widget=AdminDateInput,
            validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
            **kwargs,
        )


class PeriodForm(forms.Form):
    period = forms.ChoiceField(label=_("Period"), choices=PERIODS, required=False)
    first = DayField(label=pgettext_lazy("period", "From"))
    last = DayField(label=pgettext_lazy("period", "To"))
    program = forms.ChoiceField(label=_("Program"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["program"].choices = [("", gettext("All programs")), *program_choices()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "period" not in cleaned:
            return cleaned
        if cleaned["period"] != "custom":
            cleaned["dates"] = named_period(cleaned["period"] or "month")
            return cleaned
        first, last = cleaned.get("first"), cleaned.get("last")
        if first is None or last is None:
            if not self.errors:
                self.add_error(
                    "first" if first is None else "last",
                    gettext("Give the first and the last day of the period."),
                )
            return cleaned
        try:
            cleaned["dates"] = custom_period(first, last)
        except ValueError:
            self.add_error("last", gettext("The period ends before it begins."))
        return cleaned


class PeriodView(ReportView):
    """A page whose template extends "wagtail_referrals/admin/period.html", for who has the ``permission``."""

    # The one that is shown first, of ``PERIODS``.
    first_period = "month"
    # A report may ask for more than a period and a program.
    form_class: type[PeriodForm] = PeriodForm

    @cached_property
    def form(self) -> PeriodForm:
        data = self.request.GET.copy()
        data.setdefault("period", self.first_period)
        return self.form_class(data)

    @property
    def makes_sense(self) -> bool:
        return self.form.is_valid()

    @property
    def period(self) -> Period:
        """Of a form that makes sense."""
        found: Period = self.form.cleaned_data["dates"]
        return found

    @property
    def program(self) -> UUID | None:
        """``None`` for all of them."""
        program = self.form.cleaned_data["program"]
        return UUID(program) if program else None

    @property
    def export_filename(self) -> str:
        return f"{super().export_filename}-{self.period.first}-{self.period.last}"

    def figures(self, period: Period, program: UUID | None) -> dict[str, Any]:
        """What the template shows of the program, of all of them for ``None``."""
        raise NotImplementedError

    @property
    def media(self) -> Media:
        return (
            super().media
            + self.form.media
            + Media(js=[versioned_static("wagtail_referrals/admin/summary.js")])
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(form=self.form, **kwargs)
        # A form that makes no sense shows no figures, rather than those of everything.
        if self.makes_sense:
            context |= {"period": self.period, **self.figures(self.period, self.program)}
        return context
