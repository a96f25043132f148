"""Codes of memberships."""

from __future__ import annotations

from oscar_integration.memberships.codes import new_code, spaced
from wagtail_referrals import people


def test_a_new_code_can_be_read_as_one_however_it_is_typed() -> None:
    code = new_code()
    assert people.normalise_code(f" {spaced(code).lower()}\n") == code
    assert new_code() != code


def test_a_code_is_spaced_for_reading() -> None:
    assert spaced("K7Q29XMB") == "K7Q2 9XMB"
    assert spaced("") == ""
