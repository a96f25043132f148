"""How this shop charges the cards that customers keep, when a membership renews."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from example_site.card import gateway, kept
from example_site.card.models import DemoCharge
from oscar_integration.memberships.charging import Card, CardDeclined, Charge, ChargeRequest


class RenewalCards:
    """Named in `WAGTAIL_REFERRALS_OSCAR["RENEWAL_CARDS"]`."""

    def charge(self, request: ChargeRequest) -> Charge:
        """Take the money, once a key and once an order. Raises CardDeclined when the bank or a missing card says no."""
        card = kept.card_of(request.user)
        charge = gateway.charge_kept(
            card.token if card else gateway.NO_CARD,
            request.order_number,
            request.amount,
            request.currency,
            request.key,
        )
        if charge.status == DemoCharge.Status.DECLINED:
            raise CardDeclined(
                _("Your bank declined %(card)s.") % {"card": charge.label}
                if charge.last4
                else _("You keep no card with us.")
            )
        return Charge(reference=charge.token[:8], label=charge.label)

    def card(self, user: Any) -> Card | None:
        card = kept.card_of(user)
        return Card(label="" if card is None else card.label, url=reverse("account_card:page"))
