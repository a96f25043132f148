"""Files of what a listing or a report shows, CSV and XLSX: written while they are sent, in constant memory."""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

from django.http import StreamingHttpResponse
from django.utils import timezone, translation
from django.utils.http import content_disposition_header
from django.utils.translation import gettext, gettext_lazy
from wagtail.admin.widgets.button import Button

from wagtail_referrals.insights import FORMULA, plain_cell

CSV: Final = "csv"
XLSX: Final = "xlsx"
CONTENT_TYPES: Final = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

# What is sent at once, bytes; one write for each row would cost more than the row.
CHUNK: Final = 32 * 1024
# Excel opens 1,048,576 rows; the ZIP format without its later extension, which Excel complains of, 4 GiB.
MOST_ROWS: Final = 1_000_000
MOST_BYTES: Final = 1 << 30
# Of one cell, as Excel has it.
MOST_TEXT: Final = 32_767

# How a value may come; everything else is written as its text. Moments are shown in the current time zone.
Cell = str | int | Decimal | date | datetime | bool | None


def export_rows(
    filename: str, headings: Iterable[Any], rows: Iterable[Sequence[Any]], format: str
) -> StreamingHttpResponse:
    """The rows as a file to download, read from ``rows`` while it is sent.

    ``filename`` comes without its ending; ``format`` is "csv" or "xlsx" (``ValueError`` otherwise). A ``Decimal``
    keeps its decimals, so amounts are to be rounded to those of their currency, which belongs in a column of its own.
    Texts that a spreadsheet would take for a formula are shown as text. What is translated, and every moment, comes
    out in the language and time zone of now, also where ``rows`` reads on after the view has returned.
    """
    heads = [str(heading) for heading in headings]
    if format == CSV:
        chunks = csv_chunks(heads, rows)
    elif format == XLSX:
        chunks = xlsx_chunks(heads, rows, title=filename)
    else:
        raise ValueError(f"No such format: {format}")
    response = StreamingHttpResponse(_as_now(chunks), content_type=CONTENT_TYPES[format])
    response["Content-Disposition"] = content_disposition_header(True, f"{filename}.{format}")
    # It names people: no cache keeps it, and no proxy collects it before it passes it on.
    response["Cache-Control"] = "private, no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def export_buttons(url: str) -> list[Button]:
    """For the header's "more" of a page that answers ``url`` with ``&export=csv`` or ``&export=xlsx``."""
    join = "&" if "?" in url else "?"
    return [
        Button(label, url=f"{url}{join}export={format}", icon_name="download", priority=priority)
        for label, format, priority in (
            (gettext_lazy("Download for Excel (XLSX)"), XLSX, 90),
            (gettext_lazy("Download as CSV"), CSV, 100),
        )
    ]


def _as_now(chunks: Generator[bytes]) -> Iterator[bytes]:
    """Each chunk made in the language and time zone of the view: they end with it, the file does not."""
    language, zone = translation.get_language(), timezone.get_current_timezone()

    def rest() -> Iterator[bytes]:
        with closing(chunks):
            while True:
                with translation.override(language), timezone.override(zone):
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                yield chunk

    return rest()


# CSV


class _Line:
    """Where ``csv`` writes to, a line at a time."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_chunks(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Generator[bytes]:
    """UTF-8 with the mark by which Excel knows it, commas, points in numbers, dates as 2026-11-28 18:30:00."""
    line = _Line()
    writer = csv.writer(line)
    writer.writerow([plain_cell(heading) for heading in headings])
    yield b"\xef\xbb\xbf" + _bytes(line.text)
    waiting = bytearray()
    for row in rows:
        writer.writerow([csv_value(value) for value in row])
        waiting += _bytes(line.text)
        if len(waiting) >= CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


def csv_value(value: Any) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return _yes_or_no(value)
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return f"{_local(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return plain_cell(str(value))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _yes_or_no(value: bool) -> str:
    return gettext("yes") if value else gettext("no")


def _local(value: datetime) -> datetime:
    """As read on a clock here; a file knows no time zones, so that all of them are written as one."""
    return (timezone.make_naive(value) if timezone.is_aware(value) else value).replace(tzinfo=UTC)


# XLSX: a ZIP of XML, of which every part is written once and in order, so nothing has to be kept.

# The places of the formats in STYLES.
_PLAIN, _HEADING, _TEXT, _DATE, _MOMENT, _WHOLE, _AMOUNT = range(7)
# 14 and 22 are read as the reader's own country writes dates; 3 is 1,234 and 4 is 1,234.50. A text with a quote prefix
# stays one when its cell is edited.
STYLES: Final = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="7">'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="22" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    "</cellXfs>"
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_SHEET_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
# What XML cannot hold, whoever typed it.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The first day that Excel counts from.
_DAY_ZERO: Final = datetime(1899, 12, 30, tzinfo=UTC)


class _Outlet:
    """What ``ZipFile`` writes to: holds what was not sent yet, and cannot be sought in."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing to do: the bytes are there."""

    def take(self) -> bytes:
        data = bytes(self.waiting)
        self.waiting.clear()
        return data


def xlsx_chunks(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str) -> Generator[bytes]:
    """A workbook with one sheet, and another one wherever Excel has no more room in it."""
    outlet = _Outlet()
    remaining = iter(rows)
    sheets = 0
    with ZipFile(outlet, "w", ZIP_DEFLATED, compresslevel=4) as file:  # type: ignore[call-overload]
        more = True
        while more:
            sheets += 1
            with file.open(f"xl/worksheets/sheet{sheets}.xml", "w") as sheet:
                written = sheet.write(_sheet_head(headings))
                yield outlet.take()
                more = False
                for count, row in enumerate(remaining, start=1):
                    written += sheet.write(_bytes(f"<row>{''.join(map(xlsx_cell, row))}</row>"))
                    if len(outlet.waiting) >= CHUNK:
                        yield outlet.take()
                    if count >= MOST_ROWS or written >= MOST_BYTES:
                        more = True
                        break
                sheet.write(b"</sheetData></worksheet>")
        for name, text in _parts(sheets, title):
            file.writestr(name, text)
    yield outlet.take()


def _sheet_head(headings: Sequence[str]) -> bytes:
    """Up to the first row: headings that stay where they are, and room for what is below them."""
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{min(max(len(heading) + 4, 16), 40)}" customWidth="1"/>'
        for number, heading in enumerate(headings, start=1)
    )
    return _bytes(
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f"{f'<cols>{widths}</cols>' if widths else ''}<sheetData>"
        f"<row>{''.join(_text_cell(heading, _HEADING) for heading in headings)}</row>"
    )


def xlsx_cell(value: Any) -> str:
    """One cell: numbers, amounts and dates as such, everything else as text."""
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return _text_cell(_yes_or_no(value), _PLAIN)
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    if isinstance(value, Decimal):
        decimals = -int(value.as_tuple().exponent)
        style = {0: _WHOLE, 2: _AMOUNT}.get(decimals, _PLAIN)
        return f'<c s="{style}"><v>{value:f}</v></c>'
    if isinstance(value, datetime):
        return f'<c s="{_MOMENT}"><v>{(_local(value) - _DAY_ZERO) / timedelta(days=1):.8f}</v></c>'
    if isinstance(value, date):
        return f'<c s="{_DATE}"><v>{value.toordinal() - _DAY_ZERO.toordinal()}</v></c>'
    text = str(value)
    return _text_cell(text, _TEXT if text.startswith(FORMULA) else _PLAIN)


def _text_cell(text: str, style: int) -> str:
    text = escape(_UNWRITABLE.sub("", text[:MOST_TEXT]))
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'


def _parts(sheets: int, title: str) -> Iterator[tuple[str, str]]:
    """What makes the sheets a workbook."""
    numbers = range(1, sheets + 1)
    name = re.sub(r"[\[\]:*?/\\']", " ", _UNWRITABLE.sub("", title))[:24].strip() or "1"
    named = [name if number == 1 else f"{name} ({number})" for number in numbers]
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_SHEET_TYPE}.worksheet+xml"/>'
        for number in numbers
    )
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    listed = "".join(
        f'<sheet name={quoteattr(text)} sheetId="{number}" r:id="rId{number}"/>'
        for number, text in zip(numbers, named, strict=True)
    )
    yield "xl/styles.xml", STYLES
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{relations}'
        f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    )
    yield (
        "_rels/.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET_TYPE}.styles+xml"/>{types}</Types>',
    )


__all__ = ["CSV", "XLSX", "export_buttons", "export_rows"]
