"""Charts drawn on the server: what stands where, and that the table says the same."""

from __future__ import annotations

from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from django.template.loader import render_to_string
from django.utils import translation

from wagtail_referrals.admin.charts import Chart, Series, percent_of


def chart(*values: int | Decimal, before: tuple[int, ...] = ()) -> Chart:
    series = [Series("Friends", values)]
    if before:
        series.append(Series("The period before", before, is_line=True))
    return Chart("Friends by day", [f"{day} November" for day in range(1, len(values) + 1)], series, "Day")


def drawn(item: Chart) -> BeautifulSoup:
    return BeautifulSoup(
        render_to_string("wagtail_referrals/admin/_chart.html", {"chart": item}), "html.parser"
    )


@pytest.mark.parametrize(
    ("highest", "scale"),
    [
        (0, ["1", "0"]),
        (1, ["1", "0"]),
        (3, ["3", "2", "1", "0"]),
        (7, ["8", "6", "4", "2", "0"]),
        (41, ["50", "40", "30", "20", "10", "0"]),
        (4000, ["4,000", "3,000", "2,000", "1,000", "0"]),
        (4001, ["5,000", "4,000", "3,000", "2,000", "1,000", "0"]),
        (Decimal("0.30"), ["0.30", "0.20", "0.10", "0"]),
    ],
)
def test_the_scale_has_round_numbers_and_holds_the_highest(highest: int | Decimal, scale: list[str]) -> None:
    found = chart(0, highest)
    assert [line["text"] for line in found.scale] == scale
    assert found.top >= highest
    assert (found.scale[0]["y"], found.scale[-1]["y"]) == ("0%", "100%")


def test_bars_and_lines_stand_over_their_labels() -> None:
    found = chart(2, 0, 4, 1, before=(4, 2, 0, 0))
    [bars] = found.bars
    assert [(bar["x"], bar["y"], bar["height"]) for bar in bars["rects"]] == [
        ("3.5%", "50%", "50%"),
        ("53.5%", "0%", "100%"),
        ("78.5%", "75%", "25%"),
    ]
    assert {bar["width"] for bar in bars["rects"]} == {"18%"}
    [line] = found.lines
    assert line["points"] == "12.50,0.00 37.50,50.00 62.50,100.00 87.50,100.00"


def test_the_table_says_what_the_picture_shows() -> None:
    page = drawn(chart(2, 1234, before=(1, 0)))
    cells = [[cell.get_text(strip=True) for cell in row.select("th, td")] for row in page.select("tr")]
    assert cells == [
        ["Day", "Friends", "The period before"],
        ["1 November", "2", "1"],
        ["2 November", "1,234", "0"],
    ]
    [picture] = page.select("[role=img]")
    assert (
        picture["aria-label"] == "Friends by day. From 1 November to 2 November. Highest: 1,234, 2 November."
    )


def test_nothing_is_said_to_be_nothing() -> None:
    for item in (chart(0, 0), Chart("Friends by day", [], [Series("Friends", [])])):
        page = drawn(item)
        assert page.select("svg, table") == []
        assert "Nothing in this period." in page.get_text()


def test_positions_are_written_for_machines_in_every_language() -> None:
    with translation.override("fr"):
        page = drawn(chart(1, 2, 3, before=(3, 3, 1)))
        assert percent_of(5, 12) == "41.67%"
    for element in page.select("rect, line, text"):
        for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2"):
            assert "," not in str(element.get(name, ""))
    assert page.select("[style]") == []


def test_a_year_of_days_has_few_labels_under_it_and_fewer_on_a_phone() -> None:
    found = chart(*range(365)).under
    assert len(found) == 8
    assert [item["is_minor"] for item in found] == [False, True] * 4
    assert found[0]["text"] == "1 November"


def test_what_is_still_to_come_is_no_nought() -> None:
    series = [Series("Now", [2, None]), Series("Before", [4, None], is_line=True)]
    found = Chart("Friends", ["today", "tomorrow"], series, "Day")
    assert [len(bars["rects"]) for bars in found.bars] == [1]
    assert [line["points"] for line in found.lines] == ["25.00,0.00"]
    assert found.rows[1]["values"] == ["–", "–"]


def test_a_series_that_is_too_short_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="as many values"):
        Chart("x", ["a", "b"], [Series("y", [1])])
