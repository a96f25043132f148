"""How the shop charges a customer's card for a renewal: what it implements, and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from oscar_integration import conf

__all__ = ["Card", "CardDeclined", "Charge", "ChargeRequest", "RenewalCards", "renewal_cards"]


@dataclass(frozen=True)
class ChargeRequest:
    """Take ``amount`` of ``currency``, tax included, from the card that this customer keeps.

    ``key`` is the idempotency key: with the same key the money is taken at most once, and the answer is the same one,
    also when the first answer never arrived. ``order_number`` is the order that will be placed once it is paid, and
    ``reference`` the code of the membership; neither is there yet, or has to be looked up.
    """

    user: Any
    amount: Decimal
    currency: str
    key: str
    order_number: str
    reference: str


@dataclass(frozen=True)
class Charge:
    """The money was taken.

    ``reference`` is what the shop finds it by, ``label`` how the customer knows the card ("•••• 4242"), at most 128 and
    60 characters. ``source`` is the code of the ``payment.SourceType`` under which the order lists it.
    """

    reference: str
    label: str = ""
    source: str = "card"


@dataclass(frozen=True)
class Card:
    """The card that would be charged: how the customer knows it, and where they change it ("" for nowhere).

    Without a ``label`` the customer keeps none, and ``url`` is where they give the shop one.
    """

    label: str
    url: str = ""


class CardDeclined(Exception):
    """A definite no: nothing was taken, and nothing will be under this key. ``words`` are for the customer."""

    def __init__(self, words: str = "") -> None:
        super().__init__(words)
        self.words = words


class RenewalCards(Protocol):
    """What a shop implements. Named in ``WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"]``; made once, without arguments."""

    def charge(self, request: ChargeRequest) -> Charge:
        """Take the money. Called outside any transaction, in the customer's language, by any number of processes.

        Raises ``CardDeclined`` for a definite no. Any other exception means that nobody knows: the same request is
        made again later, with the same key.
        """

    def card(self, user: Any) -> Card | None:
        """The card that would be charged; ``None``, or one without a label, where the customer keeps none.

        For pages and mails: be quick.
        """


@lru_cache(maxsize=1)
def renewal_cards() -> RenewalCards | None:
    """What the settings name; ``None`` when they name nothing: what credit does not pay wholly is not renewed then.

    Raises ``ImproperlyConfigured`` when the path leads nowhere.
    """
    path = conf.get("RENEWAL_CARDS")
    if path is None:
        return None
    try:
        factory = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f'WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"] = {path!r}: {error}') from error
    cards: RenewalCards = factory()
    return cards


@receiver(setting_changed, dispatch_uid="oscar_integration.memberships.cards")
def _forget_cards(*, setting: str, **kwargs: Any) -> None:
    if setting == "WAGTAIL_REFERRALS_OSCAR":
        renewal_cards.cache_clear()
