"""The figures of a period told apart: by program, way, landing page, audience and language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Page

from wagtail_referrals.admin.figures import MEANINGS, Reading, amounts, counted, rated
from wagtail_referrals.insights import DayFigures, cost, percent
from wagtail_referrals.programs import language_name, program_audiences
from wagtail_referrals.tracking import CHANNELS
from wagtail_referrals.tracking.models import Claim

COLUMNS: Final = ("visits", "referrals", "ordered", "conversion", "revenue", "cost")
# Rows of a table before it has to be opened.
FEW: Final = 10

# What is printed is handed on where nobody counts.
_UNCOUNTED: Final = ("qr", "print")


@dataclass(frozen=True)
class Row:
    """One value of the dimension. ``cells`` are in the order of the table's columns."""

    key: str
    label: str
    cells: list[list[Reading]]
    url: str = ""


@dataclass(frozen=True)
class Breakdown:
    """``of`` is the dimension; ``labels`` are the columns. ``more`` rows are not among ``rows``."""

    of: str
    title: Any
    heading: Any
    columns: tuple[str, ...]
    rows: list[Row]
    more: int = 0
    note: Any = ""

    @property
    def labels(self) -> list[Any]:
        return [MEANINGS[name].label for name in self.columns]


@dataclass(frozen=True)
class Dimension:
    """``labels`` names the values that occur, a constant number of queries."""

    title: Any
    heading: Any
    labels: Callable[[list[str]], Mapping[str, str]]
    shares: bool = False
    note: Any = ""


def _channel_labels(keys: list[str]) -> dict[str, str]:
    names = {"": gettext("a link that names no way"), **CHANNELS, **dict(Claim.Source.choices)}
    return {key: capfirst(str(names.get(key, key))) for key in keys}


def _page_labels(keys: list[str]) -> dict[str, str]:
    titles = dict(Page.objects.filter(pk__in=[key for key in keys if key]).values_list("pk", "title"))
    labels = {str(pk): title for pk, title in titles.items()}
    for key in keys:
        if not key:
            labels[key] = gettext("No landing page: the link led on, or a code was typed")
        elif key not in labels:
            labels[key] = gettext("Deleted page %(number)s") % {"number": key}
    return labels


def _language_labels(keys: list[str]) -> dict[str, str]:
    return {key: language_name(key) if key else gettext("Not known") for key in keys}


def _same_labels(keys: list[str]) -> dict[str, str]:
    return {key: key for key in keys}


def _audience_labels(keys: list[str]) -> dict[str, str]:
    return {key: key or gettext("Everybody") for key in keys}


DIMENSIONS: Final[dict[str, Dimension]] = {
    "program": Dimension(_("By program"), _("Program"), _same_labels, shares=True),
    "channel": Dimension(
        _("By the way a link was shared"),
        _("Way"),
        _channel_labels,
        shares=True,
        note=_(
            "Times shared: how often links were copied or passed on this way. What is printed is not counted. A friend "
            "who typed a code came by no link."
        ),
    ),
    "page": Dimension(
        _("By landing page"), _("Page"), _page_labels, note=_("The page that a visitor was shown first.")
    ),
    "audience": Dimension(
        _("By audience"),
        _("Who may refer"),
        _audience_labels,
        shares=True,
        note=_("The customers for whom the program is today."),
    ),
    "language": Dimension(
        _("By language"), _("Language"), _language_labels, note=_("In which the visitor saw the shop.")
    ),
}


def by_audience(programs: Mapping[str, DayFigures]) -> dict[str, DayFigures]:
    """The figures of programs put together by the audience that each is for; "" for everybody."""
    audiences = program_audiences(key for key in programs if key)
    found: dict[str, DayFigures] = {}
    for key, figures in programs.items():
        # Visits to which no program could be offered are nobody's.
        if key:
            found.setdefault(audiences.get(key, ""), DayFigures()).add(figures)
    return found


def breakdown(
    of: str,
    now: Mapping[str, DayFigures],
    *,
    programs: Mapping[str, str],
    everything: bool = False,
    url: Callable[[str, str], str] | None = None,
) -> Breakdown:
    """The table of one dimension, the most friends first.

    ``programs``: their names by key. ``url`` says where the row of a key leads to.
    """
    dimension = DIMENSIONS[of]
    columns = ("shares", *COLUMNS) if dimension.shares else COLUMNS
    labels = dict(dimension.labels(list(now)))
    if of == "program":
        labels = {key: programs.get(key, key) or gettext("No program was open") for key in now}
    keys = sorted(now, key=lambda key: (-now[key].referrals, -now[key].visits, labels[key].casefold(), key))
    shown = keys if everything else keys[:FEW]
    rows = [
        Row(
            key,
            labels[key],
            [cell(name, now[key], key if of == "channel" else "") for name in columns],
            url(of, key) if url is not None else "",
        )
        for key in shown
    ]
    return Breakdown(
        of, dimension.title, dimension.heading, columns, rows, len(keys) - len(shown), dimension.note
    )


def cell(name: str, figures: DayFigures, channel: str = "") -> list[Reading]:
    if name == "conversion":
        return rated(name, percent(figures.ordered, figures.visits), None)
    if name == "shares" and (channel in _UNCOUNTED or channel in Claim.Source.values):
        return counted(name, None, None)
    if name in ("revenue", "cost"):
        return amounts(name, figures.revenue if name == "revenue" else cost(figures), {})
    return counted(name, getattr(figures, name), None)


__all__ = ["DIMENSIONS", "FEW", "Breakdown", "breakdown", "by_audience"]
