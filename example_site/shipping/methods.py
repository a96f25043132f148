"""How an order reaches the customer: by post, or collected at the studio."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from oscar.apps.shipping import methods
from oscar.core import prices

from example_site.partner.strategy import price_of


class HomeDelivery(methods.Base):
    """Parcel to the door: 4.90 with tax, free from 60.00 of goods."""

    code = "home-delivery"
    name = _("Home delivery")
    description = _("By post, in 2 to 3 working days. Free from €60.")
    charge = Decimal("4.90")
    free_from = Decimal("60.00")

    def calculate(self, basket: Any) -> prices.Price:
        charge = Decimal("0.00") if basket.total_incl_tax >= self.free_from else self.charge
        return price_of(charge, basket.currency)


class StudioPickUp(methods.Free):
    code = "studio-pick-up"
    name = _("Pick-up at the studio")
    description = _("12 rue des Olivettes, Nantes. Ready the next day, during opening hours.")


class NoShippingRequired(methods.NoShippingRequired):
    name = _("By e-mail")
    description = _("Passes, memberships and gift cards arrive by e-mail, at once.")
