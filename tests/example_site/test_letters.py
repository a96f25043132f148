"""What the studio writes in its own words holds for every reader."""

from __future__ import annotations

from example_site.seed.letters import OWN_WORDS
from wagtail_referrals.messages.filling import refuse_unknown
from wagtail_referrals.messages.kinds import message_kinds


def test_something_is_put_in_place_of_all_that_stands_in_braces() -> None:
    """The form refuses anything else; the seed writes past it."""
    welcome = message_kinds.get("welcome")
    for words in OWN_WORDS.values():
        for text in words:
            refuse_unknown(welcome, text)
