"""How a total is divided between credit and the card."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oscar_integration.split import Adjustment, split

D = Decimal
MINIMUM = D("0.50")
amounts = st.decimals(min_value=0, max_value=500, places=2)


@pytest.mark.parametrize(
    ("total", "wanted", "available", "expected"),
    [
        ("90", "15", "15", ("15", "75", Adjustment.NONE)),
        ("90", "0", "15", ("0", "90", Adjustment.NONE)),
        ("10", "15", "15", ("10", "0", Adjustment.NONE)),
        ("10", "9.50", "15", ("9.50", "0.50", Adjustment.NONE)),
        ("10", "9.51", "10", ("10", "0", Adjustment.PAID_THE_REST)),
        ("10", "9.51", "9.99", ("9.50", "0.50", Adjustment.LEFT_THE_MINIMUM)),
        ("10", "9.51", None, ("9.50", "0.50", Adjustment.LEFT_THE_MINIMUM)),
        ("0.40", "0.20", "0.30", ("0", "0.40", Adjustment.TOO_SMALL)),
        ("0.50", "0.20", "0.20", ("0", "0.50", Adjustment.TOO_SMALL)),
    ],
)
def test_examples(total: str, wanted: str, available: str | None, expected: tuple) -> None:
    found = split(D(total), D(wanted), MINIMUM, None if available is None else D(available))
    assert (found.credit, found.card, found.adjustment) == (D(expected[0]), D(expected[1]), expected[2])


@given(total=amounts, wanted=amounts, available=amounts, minimum=st.sampled_from([D(0), MINIMUM, D(5)]))
def test_always(total: Decimal, wanted: Decimal, available: Decimal, minimum: Decimal) -> None:
    wanted = min(wanted, available)
    for most in (available, None):
        found = split(total, wanted, minimum, most)
        assert found.credit + found.card == total
        assert 0 <= found.credit <= (wanted if most is None else available)
        assert found.card == 0 or found.card >= min(minimum, total)
        # Shown on one page and charged by the next: divided again, it stays.
        again = split(total, found.credit, minimum)
        assert (again.credit, again.card) == (found.credit, found.card)
