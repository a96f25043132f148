"""Columns of listings: how a value is shown, and how it is written in a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Model
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import BaseColumn, Column, StatusTagColumn, TitleColumn
from wagtail.coreutils import multigetattr

from wagtail_referrals import credit

# Left out where the screen is narrow.
MINOR: Final = "referral-minor"
_DISPLAY: Final = re.compile(r"((?:\w+\.)*)get_(\w+)_display")


class RecordColumn(TitleColumn):
    """What the record is called, leading to its page; brings the style of our listings."""

    class Media:
        css = {"all": [versioned_static("wagtail_referrals/admin/admin.css")]}

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname="referral-title", **kwargs)


class MomentColumn(Column):
    """A date; the hour is for the page of the record, and for files."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname=MINOR, **kwargs)

    def get_value(self, instance: Model) -> str:
        value = self.export_value(instance)
        return date_format(timezone.localtime(value), "SHORT_DATE_FORMAT") if value else ""

    def export_value(self, instance: Model) -> datetime | None:
        value: datetime | None = super().get_value(instance)
        return value


class MoneyColumn(Column):
    """An amount in its currency. In a file a number, with the currency in a column of its own.

    ``accessor`` gives a Decimal, or a text where there is none; ``currency`` says where the row has its code. Amounts
    with the same ``currency`` share its column. ``words`` makes the cell of both.
    """

    def __init__(
        self,
        name: str,
        *,
        currency: str,
        words: Callable[[Decimal, str], str] = credit.format_money,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        self.currency, self.words = currency, words

    def get_value(self, instance: Model) -> str:
        amount, code = super().get_value(instance), currency_of(instance, self.currency)
        return self.words(amount, code) if isinstance(amount, Decimal) and code else amount or ""

    def export_value(self, instance: Model) -> Any:
        amount, code = super().get_value(instance), currency_of(instance, self.currency)
        return credit.quantize(amount, code) if isinstance(amount, Decimal) and code else amount

    def export_columns(self) -> Iterator[FileColumn]:
        yield FileColumn(self.label, self.export_value)
        yield currency_column(self.currency)


class CurrencyColumn(Column):
    """The currency of the row's amounts."""

    def __init__(self, name: str, *, currency: str, **kwargs: Any) -> None:
        super().__init__(name, accessor=lambda row: credit.unit_name(currency_of(row, currency)), **kwargs)
        self.currency = currency

    def export_columns(self) -> Iterator[FileColumn]:
        yield currency_column(self.currency)


class BalancesColumn(Column):
    """Amounts in several currencies, side by side. In a file each currency has a column of numbers.

    ``accessor`` gives ``{code: Decimal}``, ``currencies`` the codes that a row may have.
    """

    def __init__(self, name: str, *, currencies: Callable[[], Iterable[str]], **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.currencies = currencies

    def get_value(self, instance: Model) -> str:
        amounts = super().get_value(instance) or {}
        return " · ".join(credit.format_money(amounts[code], code) for code in sorted(amounts))

    def export_columns(self) -> Iterator[FileColumn]:
        for code in self.currencies():
            heading = gettext("%(figure)s (%(currency)s)") % {
                "figure": self.label,
                "currency": credit.unit_name(code),
            }
            yield FileColumn(heading, self._amount_in(code))

    def _amount_in(self, code: str) -> Callable[[Any], Decimal | None]:
        def amount(instance: Model) -> Decimal | None:
            found = (super(BalancesColumn, self).get_value(instance) or {}).get(code)
            return None if found is None else credit.quantize(found, code)

        return amount


def currency_of(row: Any, path: str) -> str:
    """The code at the end of a path of attributes; "" where the way there ends."""
    try:
        return multigetattr(row, path) or ""
    except AttributeError:
        return ""


@dataclass(frozen=True)
class FileColumn:
    """A column of a file. Of several with the same ``once`` the first is written."""

    heading: Any
    value: Callable[[Any], Any]
    once: str = ""


def currency_column(path: str) -> FileColumn:
    return FileColumn(_("Currency"), lambda row: credit.unit_name(currency_of(row, path)), once=path)


def file_columns(columns: Iterable[BaseColumn]) -> list[FileColumn]:
    """How the columns of a listing are written in a file.

    A column says so by ``export_columns()``, or by ``export_value(row)`` for what stands under its own label; where
    that is ``None``, or there is no value, as for checkboxes and buttons, it is left out. Else it is what is shown.
    """
    found: dict[Any, FileColumn] = {}
    for number, column in enumerate(columns):
        if hasattr(column, "export_columns"):
            several = list(column.export_columns())
        else:
            value = getattr(column, "export_value", _label_of(column) or getattr(column, "get_value", None))
            several = [FileColumn(column.label, value)] if value is not None else []
        for part, one in enumerate(several):
            found.setdefault(one.once or (number, part), one)
    return list(found.values())


def _label_of(column: BaseColumn) -> Callable[[Any], str] | None:
    """Of a column with the label of a choice: translated once, where Django translates all labels for each row."""
    match = _DISPLAY.fullmatch(column.accessor) if isinstance(column.accessor, str) else None
    if match is None:
        return None
    accessor, path = column.accessor, f"{match[1]}{match[2]}"
    labels: dict[Any, str] = {}

    def label(row: Any) -> str:
        try:
            key = multigetattr(row, path)
        except AttributeError:
            return ""
        if key not in labels:
            labels[key] = str(multigetattr(row, accessor))
        return labels[key]

    return label


__all__ = [
    "MINOR",
    "BalancesColumn",
    "Column",
    "CurrencyColumn",
    "FileColumn",
    "MomentColumn",
    "MoneyColumn",
    "RecordColumn",
    "StatusTagColumn",
    "TitleColumn",
    "file_columns",
]
