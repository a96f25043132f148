from decimal import Decimal as D

from django.utils.translation import gettext_lazy as _
from oscar.apps.shipping import methods
from oscar.apps.shipping.methods import *  # noqa: F403
from oscar.core import prices

from forks.partner.strategy import VAT, net


class Post(methods.Base):
    code = "post"
    name = _("Swiss Post, Economy")
    description = _("Two to three working days")
    price = D("7.00")

    def calculate(self, basket):
        return prices.Price(
            currency=basket.currency, excl_tax=net(self.price), incl_tax=self.price, tax_code=str(VAT)
        )


class Express(Post):
    code = "express"
    name = _("Swiss Post, Priority")
    description = _("The next working day")
    price = D("10.50")


class PickUp(Post):
    code = "pick-up"
    name = _("I fetch it at the workshop")
    description = _("Rue du Lac 14, Lausanne; we write when it is ready")
    price = D("0.00")
