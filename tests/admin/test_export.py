"""The files themselves: what a spreadsheet reads in them, and what writing them costs."""

from __future__ import annotations

import csv
import gc
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy
from openpyxl import load_workbook

from wagtail_referrals.admin import export
from wagtail_referrals.admin.export import export_rows

# Whatever a spreadsheet might run, and what is only text.
EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1"]
EVIL_STARTS = {text[0] for text in EVIL}
MOMENT = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)


def body(filename: str, headings: Any, rows: Any, format: str) -> bytes:
    return b"".join(export_rows(filename, headings, rows, format).streaming_content)


def csv_rows(headings: Any, rows: Any) -> list[list[str]]:
    text = body("file", headings, rows, "csv").decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def xlsx_cells(headings: Any, rows: Any) -> list[Any]:
    sheet = load_workbook(io.BytesIO(body("file", headings, rows, "xlsx"))).active
    return [list(row) for row in sheet.iter_rows()]


def test_csv_is_what_excel_reads_and_any_program() -> None:
    found = body("file", ["Who", "How much"], [["Zoë", Decimal("-15.00")]], "csv")
    # The mark tells Excel that it is UTF-8.
    assert found == "\ufeffWho,How much\r\nZoë,-15.00\r\n".encode()


def test_csv_has_plain_values() -> None:
    with timezone.override(ZoneInfo("Europe/Paris")):
        [_head, row] = csv_rows("abcdefg", [[3, None, True, date(2026, 7, 1), MOMENT, "a\nb", "x,y"]])
    assert row == ["3", "", "yes", "2026-07-01", "2026-07-02 00:30:05", "a b", "x,y"]


def test_no_text_is_run_as_a_formula_from_csv() -> None:
    head, row = csv_rows(EVIL, [[*EVIL]])
    assert row == head == [f"'{text}" for text in EVIL]


def test_no_text_begins_a_formula_where_a_program_divides_at_semicolons() -> None:
    """Excel does, in every country that writes 1,50."""
    typed = ["Léa", "a;=1+1", 'b;"=1+1;c', "d;＝1;-1", 'e;""@SUM(A1)', "f; g"]
    text = body("file", "abcdef", [typed], "csv").decode("utf-8-sig")
    for line in csv.reader(io.StringIO(text), delimiter=";"):
        assert not any(cell.startswith(tuple(EVIL_STARTS)) for cell in line), line
    assert csv_rows("abcdef", [typed])[1][5] == "f; g"


def test_no_text_is_run_as_a_formula_in_a_workbook() -> None:
    _head, row = xlsx_cells(EVIL, [EVIL])
    assert [cell.value for cell in row] == EVIL
    assert {cell.data_type for cell in row} == {"s"}
    # Nor does it become one when somebody edits the cell.
    assert all(cell.quotePrefix for cell in row)


def test_a_workbook_has_numbers_amounts_and_dates() -> None:
    with timezone.override(ZoneInfo("Europe/Paris")):
        values = [
            3,
            Decimal("1234.50"),
            Decimal("1500"),
            Decimal("0.125"),
            date(2026, 7, 1),
            MOMENT,
            None,
            "",
        ]
        head, row = xlsx_cells("abcdefgh", [values])
    assert [cell.value for cell in row[:4]] == [3, 1234.5, 1500, 0.125]
    assert [cell.value.isoformat() for cell in row[4:6]] == ["2026-07-01T00:00:00", "2026-07-02T00:30:05"]
    assert [cell.value for cell in row[6:]] == [None, None]
    assert [cell.number_format for cell in row[1:6]] == [
        "#,##0.00",
        "#,##0",
        "General",
        "mm-dd-yy",
        "m/d/yy h:mm",
    ]
    assert all(cell.font.b for cell in head)


def test_a_workbook_holds_whatever_was_typed() -> None:
    typed = ["<b>&\"'</b>", "  a  ", "a\nb", "Zoë 👋", "bell\x07", "x" * 40_000]
    _head, row = xlsx_cells("abcdef", [typed])
    assert [cell.value for cell in row] == [*typed[:4], "bell", "x" * 32_767]


def test_an_empty_file_has_its_headings() -> None:
    assert csv_rows(["Who"], []) == [["Who"]]
    assert [[cell.value for cell in row] for row in xlsx_cells(["Who"], [])] == [["Who"]]


def test_what_one_sheet_cannot_hold_goes_on_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_ROWS", 2)
    book = load_workbook(
        io.BytesIO(body("a/file: with a long, long name", ["N"], ([n] for n in range(3)), "xlsx"))
    )
    assert [[cell.value for [cell] in sheet.iter_rows()] for sheet in book.worksheets] == [
        ["N", 0, 1],
        ["N", 2],
    ]
    assert all(len(sheet.title) <= 31 for sheet in book.worksheets)


def test_the_file_is_named_and_kept_by_nobody() -> None:
    response = export_rows("parrainés-2026-11-28", ["N"], [], "xlsx")
    assert response["Content-Disposition"] == ("attachment; filename*=utf-8''parrain%C3%A9s-2026-11-28.xlsx")
    assert response["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert "no-store" in response["Cache-Control"]
    assert export_rows("rewards", [], [], "csv")["Content-Type"] == "text/csv; charset=utf-8"
    with pytest.raises(ValueError, match="pdf"):
        export_rows("rewards", [], [], "pdf")


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_language_and_time_zone_are_those_of_the_view(format: str) -> None:
    """Wagtail sets them for its views alone, and the file is written afterwards."""
    with translation.override("fr"), timezone.override(ZoneInfo("Asia/Tokyo")):
        response = export_rows("n", ["N"], ([gettext_lazy("Date"), True, MOMENT] for _ in range(1)), format)
    with translation.override("en"), timezone.override(ZoneInfo("America/New_York")):
        content = b"".join(response.streaming_content)
        assert translation.get_language() == "en"
    if format == "csv":
        assert content.decode("utf-8-sig").splitlines()[1] == "Date,oui,2026-07-02 07:30:05"
    else:
        [_, row] = load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
        assert [*row[:2], row[2].isoformat()] == ["Date", "oui", "2026-07-02T07:30:05"]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_the_first_byte_comes_before_the_rows_are_read(format: str) -> None:
    read = []

    def rows() -> Iterator[list[int]]:
        for number in range(100_000):
            read.append(number)
            yield [number]

    stream = iter(export_rows("n", ["N"], rows(), format).streaming_content)
    assert next(stream)
    assert read == []
    assert next(stream)
    # Then a piece at a time.
    assert 0 < len(read) < 50_000


@pytest.mark.django_db
@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_download_that_is_broken_off_stops_reading(format: str) -> None:
    ended = []

    def rows() -> Iterator[list[str]]:
        try:
            while True:
                yield ["x" * 100]
        finally:
            ended.append(True)

    response = export_rows("n", ["N"], rows(), format)
    stream = iter(response.streaming_content)
    next(stream)
    next(stream)
    response.close()
    gc.collect()
    assert ended == [True]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_large_file_takes_no_more_memory_than_a_small_one(format: str) -> None:
    def peak(count: int) -> int:
        rows = ([number, f"Customer {number}", Decimal(number), MOMENT] for number in range(count))
        gc.collect()
        tracemalloc.start()
        try:
            for _chunk in export_rows("n", "abcd", rows, format).streaming_content:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(60_000) < 1.2 * peak(15_000)
