"""Swiss prices: what is on the label is what is paid, with 8.1 % of VAT inside."""

from decimal import ROUND_HALF_UP
from decimal import Decimal as D

from oscar.apps.partner import strategy
from oscar.core.loading import get_class

Unavailable = get_class("partner.prices", "Unavailable")
TaxInclusiveFixedPrice = get_class("partner.prices", "TaxInclusiveFixedPrice")

VAT = D("0.081")


def net(gross, rate=VAT):
    return (gross / (1 + rate)).quantize(D("0.01"), rounding=ROUND_HALF_UP)


class Selector:
    def strategy(self, request=None, user=None, **kwargs):
        return Swiss(request)


class Swiss(strategy.UseFirstStockRecord, strategy.StockRequired, strategy.Structured):
    def pricing_policy(self, product, stockrecord):
        if not stockrecord or stockrecord.price is None:
            return Unavailable()
        excl_tax = net(stockrecord.price)
        return TaxInclusiveFixedPrice(
            currency=stockrecord.price_currency, excl_tax=excl_tax, tax=stockrecord.price - excl_tax
        )

    def parent_pricing_policy(self, product, children_stock):
        stockrecords = [stockrecord for __, stockrecord in children_stock if stockrecord is not None]
        return self.pricing_policy(product, stockrecords[0] if stockrecords else None)
