"""What a friend's discount means beside the shop's own offers and vouchers, said to editors before they promise it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from oscar.core.loading import get_model

from oscar_integration import conf, vouchers
from oscar_integration.gifts import FreeProductKind
from wagtail_referrals.kinds import RewardKind, register_annotator

# Offers that are named; of more it is said how many.
NAMED: Final = 5


def notes_on(kind: RewardKind) -> list[str]:
    """How this kind of discount combines with what the shop has on offer now. At most 3 queries."""
    if not kind.is_discount or not conf.gives_vouchers():
        return []
    if kind.key == FreeProductKind.key:
        return [
            gettext(
                "In the basket the free product comes first: it costs nothing whatever else is on offer, and counts "
                "for no other offer."
            )
        ]
    if kind.key == "free_shipping":
        return [gettext("Free delivery goes with your offers and vouchers for goods.")]
    return [
        gettext(
            "In the basket your own offers and vouchers come first, whichever is better for the friend. The discount "
            "counts for what none of them makes cheaper."
        ),
        *_offers_now(),
        *_vouchers_now(),
    ]


def live_offers() -> Any:
    """Offers of the shop that baskets get by themselves now."""
    ConditionalOffer = get_model("offer", "ConditionalOffer")
    found = ConditionalOffer.active.filter(offer_type=ConditionalOffer.SITE)
    return found.select_related("benefit__range").order_by("-priority", "pk")


def _offers_now() -> Iterable[str]:
    offers = [offer for offer in live_offers()[: NAMED + 1] if not _is_for_delivery(offer.benefit)]
    for offer in offers[:NAMED]:
        name = {"offer": offer.name}
        if _is_for_everything(offer.benefit):
            yield (
                gettext(
                    "“%(offer)s” runs now, for everything: where it counts, the friend gets it instead of the "
                    "discount."
                )
                % name
            )
        else:
            yield (
                gettext(
                    "“%(offer)s” runs now, for some goods: for those the friend gets it instead, for all others the "
                    "discount."
                )
                % name
            )
    if len(offers) > NAMED:
        yield gettext("More offers run now; the same goes for them.")


def _vouchers_now() -> Iterable[str]:
    now = timezone.now()
    Voucher = get_model("voucher", "Voucher")
    running = Voucher.objects.filter(Q(start_datetime__lte=now, end_datetime__gt=now))
    number = running.exclude(code__startswith=vouchers.PREFIX).count()
    if number:
        yield (
            ngettext(
                "%(count)s voucher of the shop can be used now: for a friend who types it, it comes first, too.",
                "%(count)s vouchers of the shop can be used now: for a friend who types one, it comes first, too.",
                number,
            )
            % {"count": number}
        )


def _is_for_delivery(benefit: Any) -> bool:
    return "hipping" in (benefit.type or "")


def _is_for_everything(benefit: Any) -> bool:
    return benefit.range is None or benefit.range.includes_all_products


def connect() -> None:
    """Called once, from the app's ``ready``."""
    register_annotator(notes_on)
