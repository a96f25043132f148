"""Credit in order confirmations, whatever the shop made of Oscar's templates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from oscar_integration.mails import add_credit
from oscar_integration.paid import OrderCredit

SPENT = OrderCredit("EUR", Decimal("100.00"), Decimal("15.00"), Decimal("0.00"))
ALL = OrderCredit("EUR", Decimal("100.00"), Decimal("100.00"), Decimal("0.00"))


def mail(body: str = "", html: str = "") -> dict[str, Any]:
    return {"subject": "Your order", "body": body, "html": html, "sms": ""}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "Total: €100.00\nBye",
            "Total: €100.00\nReferral credit: -€15.00\nPaid by card: €85.00\nBye",
        ),
        ("Thank you.\n", "Thank you.\n\nReferral credit: -€15.00\nPaid by card: €85.00\n"),
        ("Referral credit is taken care of: €100.00", "Referral credit is taken care of: €100.00"),
        ("", ""),
    ],
)
def test_text(body: str, expected: str) -> None:
    assert add_credit(mail(body), SPENT)["body"] == expected


def test_nothing_was_left_for_the_card() -> None:
    found = add_credit(mail("Total: €100.00", '<table><tr class="total"><td>1</td></tr></table>'), ALL)
    assert "Paid by card" not in found["body"] + found["html"]


@pytest.mark.parametrize(
    ("html", "before", "after"),
    [
        ('<table><tr class="total"><td>1</td></tr></table><p>Bye</p>', "</tr>", "</table>"),
        ("<html><body><p>Bye</p></BODY></html>", "</p>", "</BODY>"),
        ("<p>Bye</p>", "</p>", ""),
    ],
)
def test_html(html: str, before: str, after: str) -> None:
    found = add_credit(mail(html=html), SPENT)["html"]
    place = found.index("Referral credit")
    assert found.index(before) < place < (found.rindex(after) if after else len(found))
    assert "−€15.00" in found and "€85.00" in found


def test_a_mail_that_says_it_stays_as_it_is() -> None:
    html = "<p>Referral credit: all yours</p>"
    assert add_credit(mail(html=html), SPENT)["html"] == html


def test_what_oscar_made_is_left_alone() -> None:
    sent = mail("Total: €100.00", "<p>x</p>")
    before = dict(sent)
    found = add_credit(sent, SPENT)
    assert sent == before
    assert found["subject"] == "Your order"
