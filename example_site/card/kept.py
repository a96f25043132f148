"""The cards that customers keep for renewals of their memberships."""

from typing import Any

from django.apps import apps

from example_site.card import gateway
from example_site.card.models import StoredCard


def may_be_kept(basket: Any, user: Any) -> bool:
    """Is there something in the basket that renews by itself, and an account to keep the card in? At most 1 query."""
    if not user.is_authenticated or not apps.is_installed("oscar_integration.memberships"):
        return False
    from oscar_integration.memberships.models import Plan

    products = [line.product_id for line in basket.all_lines()]
    return Plan.objects.filter(product__in=products, renews=True).exists()


def keep_card(user: Any, token: str) -> StoredCard:
    """Keep the card that this token of the bank's stands for, in the place of the one before it."""
    card, _created = StoredCard.objects.update_or_create(
        user=user, defaults={"last4": gateway.last4_of(token), "token": token}
    )
    return card


def card_of(user: Any) -> StoredCard | None:
    return StoredCard.objects.filter(user=user).first()


def pays_what_is_due(user: Any) -> bool:
    """The customer has another card now: have what was declined charged again soon. Whether there was something."""
    if not apps.is_installed("oscar_integration.memberships"):
        return False
    from oscar_integration.memberships.models import Membership
    from oscar_integration.memberships.renewals import try_soon

    declined = Membership.objects.filter(user=user, state=Membership.State.PAST_DUE)
    return sum(try_soon(pk) for pk in declined.values_list("pk", flat=True)) > 0
