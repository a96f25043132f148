"""What a message gets from others: its site, whom it is from, its look, its end. Rooms above register here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from wagtail.models import Site

from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs import TermsData
from wagtail_referrals.programs.models import Program

logger = logging.getLogger("wagtail_referrals")


@dataclass(frozen=True)
class Closing:
    """A last paragraph, and a link that ``label`` names. In the reader's language."""

    words: str
    url: str
    label: str


@dataclass(frozen=True)
class Colours:
    """Of one mode, light or dark, each "#rrggbb". Each ink can be read on what it stands on."""

    ground: str
    card: str
    ink: str
    # For what is said beside; on the card and on the ground.
    muted: str
    line: str
    # A box on the card, with ``ink`` and ``muted`` on it.
    box: str
    button: str
    on_button: str
    # Of links, on the card.
    link: str


@dataclass(frozen=True)
class MailLook:
    light: Colours
    dark: Colours


LOOK: Final = MailLook(
    light=Colours(
        ground="#faf4ea",
        card="#ffffff",
        ink="#24352d",
        muted="#5d6a63",
        line="#e6dfd3",
        box="#faf4ea",
        button="#8a3d22",
        on_button="#ffffff",
        link="#8a3d22",
    ),
    dark=Colours(
        ground="#141816",
        card="#1f2522",
        ink="#f3efe6",
        muted="#b4bab3",
        line="#39423d",
        box="#29312d",
        button="#e0a087",
        on_button="#24352d",
        link="#e9b39e",
    ),
)


@dataclass(frozen=True)
class Progress:
    """How far a referrer is to the next milestone; ``percent`` of the way, from 0 to 100. In the reader's language."""

    words: str
    next_words: str
    percent: int


_senders: Final[list[Callable[[int | None], str]]] = []
_looks: Final[list[Callable[[int | None], MailLook]]] = []
_closings: Final[list[tuple[str, Callable[[Message], Closing | None]]]] = []
_progresses: Final[list[Callable[[Any, TermsData], Progress | None]]] = []


def register_sender(ask: Callable[[int | None], str]) -> None:
    """Let the settings of a site, by its key, say whom its mails are from; "" for Django's DEFAULT_FROM_EMAIL."""
    if ask not in _senders:
        _senders.append(ask)


def register_look(ask: Callable[[int | None], MailLook]) -> None:
    """Let the settings of a site, by its key, give its mails their colours."""
    if ask not in _looks:
        _looks.append(ask)


def register_progress(ask: Callable[[Any, TermsData], Progress | None]) -> None:
    """``ask(user, terms)`` answers how far the customer is; for ``None`` as user, how somebody could be."""
    if ask not in _progresses:
        _progresses.append(ask)


def register_closing(kind: str, ask: Callable[[Message], Closing | None]) -> None:
    """Let an app end the messages of one kind with a paragraph of its own. Called from ``AppConfig.ready()``."""
    if (kind, ask) not in _closings:
        _closings.append((kind, ask))


def sender_of(site: Site | None) -> str:
    """For the header "From"; "" for Django's own."""
    asked = (ask(site.pk if site is not None else None) for ask in _senders)
    return next((sender for sender in asked if sender), "")


def look_of(site: Site | None) -> MailLook:
    return next((ask(site.pk if site is not None else None) for ask in _looks), LOOK)


def progress_of(message: Message, user: Any, data: TermsData) -> Progress | None:
    """The first answer there is; one that fails is logged and left out: the message goes."""
    for ask in _progresses:
        try:
            with transaction.atomic():
                found = ask(user, data)
        except Exception:
            logger.exception("Message %s goes without the progress of its reader", message.pk)
        else:
            if found is not None:
                return found
    return None


def closing_of(message: Message) -> Closing | None:
    """The first that an app has; one that fails is logged and left out: the message goes."""
    for kind, ask in _closings:
        if kind != message.kind:
            continue
        try:
            with transaction.atomic():
                found = ask(message)
        except Exception:
            logger.exception("Message %s goes without its last paragraph", message.pk)
        else:
            if found is not None:
                return found
    return None


def program_of(message: Message) -> Program | None:
    """Of which it speaks."""
    if message.referral is not None:
        return Program.objects.filter(key=message.referral.program_key).select_related("site").first()
    if message.lead is not None:
        key = message.lead.claim.terms.program_key
        return Program.objects.filter(key=key).select_related("site").first()
    if message.enrollment is not None:
        return message.enrollment.sequence.program
    return None


def site_of(message: Message) -> Site | None:
    """Where the links of a mail lead: the site of the program that it speaks of; else the default one."""
    program = program_of(message)
    site = program.site if program is not None else None
    return site or Site.objects.filter(is_default_site=True).first()


_hubs: Final[list[Callable[[Site | None], str]]] = []


def register_hub(ask: Callable[[Site | None], str]) -> None:
    """``ask(site)`` answers the absolute address of the page "refer a friend" in the current language, or ""."""
    if ask not in _hubs:
        _hubs.append(ask)


def hub_url(site: Site | None) -> str:
    return next((url for ask in _hubs if (url := ask(site))), "")
