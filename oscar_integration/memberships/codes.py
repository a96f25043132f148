"""The code of a membership: shown by the customer, typed or scanned at the desk."""

from __future__ import annotations

from wagtail_referrals import people


def new_code() -> str:
    """A code for a new membership: drawn at random, as personal codes are, so that nobody guesses another's."""
    return people.draw_code()


def spaced(code: str) -> str:
    """The code as people read it out: "K7Q2 9XMB"."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))
