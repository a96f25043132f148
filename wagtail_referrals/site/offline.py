"""What a referrer hands out on paper: the QR code of their link, and a page of cards or a poster to print."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from io import BytesIO
from math import ceil
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import segno
from django.contrib.auth.decorators import login_not_required, login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from wagtail_referrals import people, programs, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.site import landing
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.look import PAPER, Look, look_of, photo_of
from wagtail_referrals.site.picture import drawable, share_picture
from wagtail_referrals.site.settings import settings_of
from wagtail_referrals.site.sharing import share_url

Layout = Literal["cards", "poster"]
LAYOUTS: Final[dict[Layout, Any]] = {"cards": _("Cards"), "poster": _("Poster")}
CARDS_ON_A_PAGE: Final = 10
TEMPLATE: Final = "wagtail_referrals/print_page.html"
# Has a letter that no code has.
SAMPLE_CODE: Final = "EXAMPLE2"
PREVIEW_MODES: Final = {
    "picture": _("As a picture in messengers"),
    "cards": _("On cards"),
    "poster": _("On a poster"),
}


class Size(NamedTuple):
    """Of letters, in millimetres. ``small``: how to use a card, and its conditions."""

    text: float
    heading: float
    small: float


# Without four light modules around it many telephones do not find the code.
QUIET_ZONE: Final = 4
PNG_PIXELS: Final = 1000

# Room for text in millimetres, width and height, as print.css lays it out.
_ROOM: Final[dict[Layout, tuple[float, float]]] = {"cards": (42, 44), "poster": (172, 125)}
# Sizes of the text in millimetres; data-size in print.css counts them from 1.
_SIZES: Final[dict[Layout, tuple[Size, ...]]] = {
    "cards": (
        Size(text=3.7, heading=5.6, small=2.2),
        Size(text=3.2, heading=4.8, small=2.2),
        Size(text=2.8, heading=4.0, small=2.0),
        Size(text=2.4, heading=3.1, small=1.8),
        Size(text=2.0, heading=2.4, small=1.6),
    ),
    "poster": (
        Size(text=9.0, heading=17.0, small=4.2),
        Size(text=7.5, heading=13.5, small=4.2),
        Size(text=6.2, heading=10.0, small=4.2),
        Size(text=5.0, heading=7.5, small=4.0),
        Size(text=4.2, heading=6.0, small=3.6),
    ),
}
# Offers are sentences of a few words. One that is longer than this says its beginning, and the rest at its link.
_MOST_LETTERS: Final = 220


def qr_code(url: str) -> segno.QRCode:
    """Of middle error correction, or better where that takes no more room."""
    return segno.make_qr(url, error="m")


def qr_inline(url: str) -> str:
    """An ``<svg>`` to stand in a page, as large as what it stands in."""
    return qr_code(url).svg_inline(
        border=QUIET_ZONE, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None
    )


def qr_file(url: str, *, format: Literal["svg", "png"]) -> bytes:
    """The code as a file; a PNG is about 1000 pixels wide, in whole pixels a module."""
    code = qr_code(url)
    out = BytesIO()
    if format == "svg":
        code.save(out, kind="svg", scale=10, border=QUIET_ZONE, dark="#000", light="#fff")
    else:
        scale = ceil(PNG_PIXELS / code.symbol_size(border=QUIET_ZONE)[0])
        code.save(out, kind="png", scale=scale, border=QUIET_ZONE, dark="#000", light="#fff")
    return out.getvalue()


@dataclass(frozen=True)
class Card:
    """What stands on a card or a poster, in the current language.

    ``eyebrow`` says who invites where the heading does not. ``size``: from 1 for large text to 5 where there is much.
    """

    eyebrow: str
    heading: str
    gift: str
    text: str
    conditions: str
    how: str
    address: str
    code: str
    qr: str
    size: int = 1


def card_of(*, name: str, code: str, url: str, data: TermsData | None, page: Any, layout: Layout) -> Card:
    """``name``: as friends see it, "" for none. ``url``: the share link, absolute. ``page`` has the editor's words."""
    gift = _shortened(programs.friend_gets(data)) if data is not None else ""
    invites = gettext("%(name)s invites you") % {"name": people.invitation_name(name)}
    written = getattr(page, "card_heading", "")

    def filled(text: str) -> str:
        # The name last: what a customer calls themselves is nobody's to fill in.
        return text.replace("{gift}", gift).replace("{name}", people.invitation_name(name))

    parts = urlsplit(url)
    card = Card(
        eyebrow=invites if written and "{name}" not in written else "",
        heading=filled(written) or invites,
        gift=gettext("Your present: %(gift)s") % {"gift": gift} if gift and "{gift}" not in written else "",
        text=filled(getattr(page, "card_text", "")),
        conditions=" ".join(words.conditions(data)) if data is not None else "",
        how=gettext("Scan it, or type the code in the basket at %(host)s.") % {"host": parts.netloc},
        address=f"{parts.netloc}{parts.path}",
        code=code,
        qr=qr_inline(f"{url}?via=print"),
    )
    return _fit(card, layout)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS].rsplit(maxsplit=1)[0]}…"


def _fit(card: Card, layout: Layout) -> Card:
    """At the largest size at which all of it surely has room, reckoned with a wide font, as nobody knows theirs.

    Where even the smallest is too large, the editor's text ends early.
    """
    size = len(_SIZES[layout])
    for number in range(size, 0, -1):
        if _has_room(card, layout, number):
            size = number
    text = card.text
    while text and not _has_room(card, layout, size):
        text = "".join(text.rstrip().rpartition(" ")[:2])
        card = replace(card, text=f"{text.rstrip(' ,.;:–—-')}…" if text.strip() else "")
    return replace(card, size=size)


def _has_room(card: Card, layout: Layout, number: int) -> bool:
    width, height = _ROOM[layout]
    size = _SIZES[layout][number - 1]
    blocks = [
        (card.eyebrow, size.text, True),
        (card.heading, size.heading, True),
        (card.gift, size.text * 1.15, True),
        (card.text, size.text, False),
        # On a poster it stands beside the code.
        (card.how if layout == "cards" else "", size.small, False),
        (card.conditions, size.small, False),
    ]
    return sum(_height(*block, width) + size.text / 2 for block in blocks if block[0]) <= height


def _height(text: str, size: float, is_bold: bool, width: float) -> float:
    """About how much a text takes, all in millimetres: a word that has no room goes to the next line."""
    lines = 0
    for paragraph in text.splitlines():
        taken = width
        for word in paragraph.split():
            needed = sum(_letter_width(letter, is_bold) for letter in word) * size
            taken += size * 0.36
            if taken + needed > width:
                # One that is wider than the line goes on in the next.
                lines += max(1, ceil(needed / width))
                taken = needed % width if needed > width else needed
            else:
                taken += needed
    return lines * size * 1.3


def _letter_width(letter: str, is_bold: bool) -> float:
    """In parts of the letter's size: of a wide font like Verdana or DejaVu Sans."""
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.1
    if letter in "mwMW@%":
        return 1.1
    width = 0.42 if letter in "fijlrtI.,:;!'’|()[]-" else 0.75 if letter.isupper() else 0.64
    return width + (0.08 if is_bold else 0)


def _sharer(request: HttpRequest) -> tuple[Advocate, TermsData] | None:
    """Who may share their link now, with what it offers: they have seen their name, and a program is open to them."""
    advocate = people.find_advocate(request.user)
    if advocate is None or advocate.name_confirmed_at is None:
        return None
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request), advocate_state=advocate.state, user_id=advocate.user_id
    )
    return (advocate, offer.data) if offer is not None else None


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_store=True)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@login_required
@require_safe
def qr(request: HttpRequest, format: Literal["svg", "png"]) -> HttpResponse:
    """The QR code of one's own link, as a file. Who cannot share yet is led to the account."""
    sharer = _sharer(request)
    if sharer is None:
        return HttpResponseRedirect(reverse("referrals:account"))
    code = people.code_of(sharer[0])
    url = share_url(code, root=request.build_absolute_uri("/"))
    response = HttpResponse(
        qr_file(f"{url}?via=qr", format=format),
        content_type="image/svg+xml" if format == "svg" else "image/png",
    )
    response.headers["Content-Disposition"] = f'inline; filename="qr-{code}.{format}"'
    return _private(response)


@login_required
@require_safe
def print_page(request: HttpRequest) -> HttpResponse:
    """A page of cards or a poster (``?layout=``), to print. Who cannot share yet is led to the account."""
    sharer = _sharer(request)
    if sharer is None:
        return HttpResponseRedirect(reverse("referrals:account"))
    advocate, data = sharer
    page = landing.find_landing_page(
        site_id=tracking.site_id_for(request), page_id=data.landing_page_id, language=get_language() or ""
    )
    code = people.code_of(advocate)
    context = print_context(
        name=advocate.public_name,
        code=code,
        url=share_url(code, root=request.build_absolute_uri("/")),
        data=data,
        page=page,
        site_id=tracking.site_id_for(request),
        layout="poster" if request.GET.get("layout") == "poster" else "cards",
    )
    return _private(TemplateResponse(request, TEMPLATE, context))


def print_context(
    *, name: str, code: str, url: str, data: TermsData | None, page: Any, site_id: int | None, layout: Layout
) -> dict[str, Any]:
    """For the template: in the words, colours and with the photo of a landing page, which may be ``None``."""
    look = look_of(page, settings_of(site_id), ground=PAPER)
    return {
        "page_title": gettext("Cards and poster"),
        "layout": layout,
        "layouts": [(key, label) for key, label in LAYOUTS.items()],
        "card": card_of(name=name, code=code, url=url, data=data, page=page, layout=layout),
        "numbers": range(CARDS_ON_A_PAGE),
        "photo": photo_of(page),
        "colours": reverse(
            "referrals:print_colours", args=[colour[1:] for colour in (look.ground, look.ink, look.accent)]
        ),
    }


def draw_preview(
    request: HttpRequest, page: Any, mode: str, *, name: str, data: TermsData | None
) -> HttpResponse | None:
    """What an editor's landing page looks like in a messenger, or on paper; ``None`` for a mode that is none of ours.

    ``name`` is that of a sample referrer. Their code is nobody's.
    """
    if mode not in PREVIEW_MODES:
        return None
    with translation.override(page.locale.language_code):
        if mode == "picture":
            invites = gettext("%(name)s invites you") % {"name": people.invitation_name(drawable(name))}
            gift = programs.friend_gets(data) if data is not None else ""
            look = look_of(page, settings_of(tracking.site_id_for(request)))
            png = share_picture(invites, gift, look, photo_of(page))
            return HttpResponse(png, content_type="image/png")
        context = print_context(
            name=name,
            code=SAMPLE_CODE,
            url=share_url(SAMPLE_CODE, root=request.build_absolute_uri("/")),
            data=data,
            page=page,
            site_id=tracking.site_id_for(request),
            layout="poster" if mode == "poster" else "cards",
        )
        return TemplateResponse(request, TEMPLATE, {**context, "is_preview": True}).render()


@login_not_required
@require_safe
@cache_control(public=True, max_age=365 * 24 * 60 * 60, immutable=True)
def print_colours(request: HttpRequest, ground: str, ink: str, accent: str) -> HttpResponse:
    """The colours of what is printed as a style sheet: a strict content security policy allows none in the page."""
    look = Look(f"#{ground}", f"#{ink}", f"#{accent}")
    names = {
        "ground": look.ground,
        "ink": look.ink,
        "accent": look.accent,
        "accent-ink": look.accent_ink,
        "on-accent": look.on_accent,
    }
    rules = "".join(f"--referrals-card-{name}:{colour};" for name, colour in names.items())
    return HttpResponse(f":root{{{rules}}}\n", content_type="text/css")
