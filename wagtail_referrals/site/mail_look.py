"""What the site gives to mails: its colours, its pages, how far a referrer is."""

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.utils.translation import get_language
from wagtail.models import Page, Site

from wagtail_referrals import messages
from wagtail_referrals.messages import Colours, MailLook, Progress
from wagtail_referrals.people import find_advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.site.colours import LEAST_CONTRAST, contrast
from wagtail_referrals.site.look import PAPER, look_of, readable_on
from wagtail_referrals.site.milestones import Milestones, ladder, milestones_of
from wagtail_referrals.site.settings import settings_of

WHITE: Final = "#ffffff"
BLACK: Final = "#000000"
NIGHT: Final = "#141816"
NIGHT_INK: Final = "#f3efe6"


def mix(one: str, other: str, share: float) -> str:
    """Both "#rrggbb"; so much of the other, from 0 to 1."""
    parts = [(int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def readable(colour: str, *grounds: str) -> str:
    """The colour, as much lighter or darker as it takes to read it on all of these grounds."""
    for towards in (
        (BLACK, WHITE) if contrast(BLACK, grounds[0]) > contrast(WHITE, grounds[0]) else (WHITE, BLACK)
    ):
        for step in range(21):
            found = mix(colour, towards, step / 20)
            if all(contrast(found, ground) >= LEAST_CONTRAST for ground in grounds):
                return found
    return readable_on(grounds[0])


def mail_look(site_id: int | None) -> MailLook:
    """The site's colours where mails can be read in them; in dark mode the accent alone."""
    chosen = look_of(None, settings_of(site_id))
    ground = chosen.ground
    is_light = contrast(BLACK, ground) > contrast(WHITE, ground)
    card = PAPER if is_light else mix(ground, WHITE, 0.08)
    return MailLook(
        light=_colours(ground, card, chosen.ink, chosen.accent),
        dark=_colours(NIGHT, mix(NIGHT, WHITE, 0.05), NIGHT_INK, chosen.accent, is_dark=True),
    )


def _colours(ground: str, card: str, ink: str, accent: str, *, is_dark: bool = False) -> Colours:
    box = mix(card, WHITE, 0.05) if is_dark else ground if card == PAPER else mix(card, WHITE, 0.06)
    ink = readable(ink, card, box, ground)
    # In the dark a button shines, as far as its own text can be read.
    button = readable(accent, card) if is_dark else accent
    return Colours(
        ground=ground,
        card=card,
        ink=ink,
        muted=readable(mix(ink, card, 0.3), card, box, ground),
        line=mix(card, ink, 0.14),
        box=box,
        button=button,
        on_button=readable_on(button),
        link=readable(accent, card, box),
    )


def hub_of(site: Site | None) -> str:
    """The address of the live page "refer a friend" of this site, in the current language if there is one; else ""."""
    from wagtail_referrals.site.models import HubPageMixin

    language = get_language() or ""
    for model in apps.get_models():
        if not (issubclass(model, HubPageMixin) and issubclass(model, Page)):
            continue
        pages = model._default_manager.live().select_related("locale")  # type: ignore[attr-defined]
        if site is not None:
            pages = pages.descendant_of(site.root_page, inclusive=True)
        found = sorted(pages[:20], key=lambda page: page.locale.language_code != language)
        if found:
            return str(found[0].full_url or "")
    return ""


def progress_of(user: Any, data: TermsData) -> Progress | None:
    """How far the customer is; nobody in particular has come half the way."""
    advocate = find_advocate(user)
    if user is None:
        goal = getattr(ladder(data), "goal", 0)
        milestones: Milestones | None = ladder(data, count=goal // 2)
    else:
        milestones = milestones_of(advocate, data) if advocate is not None else ladder(data)
    if milestones is None or not milestones.goal:
        return None
    return Progress(
        words=milestones.progress,
        next_words=milestones.next_words,
        percent=min(100, 100 * milestones.count // milestones.goal),
    )


def connect() -> None:
    """Called when Django is ready: the room of messages asks through these."""
    messages.register_look(mail_look)
    messages.register_hub(hub_of)
    messages.register_progress(progress_of)
