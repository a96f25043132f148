"""What a message says to one person, ready to be handed over, whatever the way."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Content:
    """In the person's language. ``text`` is complete, with addresses in place of links; ``html`` a whole document."""

    subject: str
    preheader: str
    text: str
    html: str
    # For the header "From"; "" for Django's DEFAULT_FROM_EMAIL.
    sender: str = ""
    headers: dict[str, str] = field(default_factory=dict)
