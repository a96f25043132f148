"""Prices of the shop: what the manager types is what the customer pays; the tax is inside."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from oscar.apps.partner import strategy
from oscar.core import prices
from oscar.core.loading import get_class

Unavailable = get_class("partner.prices", "Unavailable")
TaxInclusiveFixedPrice = get_class("partner.prices", "TaxInclusiveFixedPrice")

TAX_RATE = Decimal("0.20")
CENT = Decimal("0.01")


def without_tax(including_tax: Decimal) -> Decimal:
    """Return the part of a price that is not tax, rounded to the cent (the tax is the rest, so both add up)."""
    return (including_tax / (1 + TAX_RATE)).quantize(CENT, rounding=ROUND_HALF_UP)


def price_of(including_tax: Decimal, currency: str) -> prices.Price:
    """Return an Oscar price for an amount that includes the tax."""
    return prices.Price(currency=currency, excl_tax=without_tax(including_tax), incl_tax=including_tax)


class Selector:
    """Everyone sees the same prices."""

    def strategy(self, request: Any = None, user: Any = None, **kwargs: Any) -> "ShopStrategy":
        return ShopStrategy(request)


class ShopStrategy(strategy.UseFirstStockRecord, strategy.StockRequired, strategy.Structured):
    """First stock record, stock required for things, tax included in the price of the stock record."""

    def pricing_policy(self, product: Any, stockrecord: Any) -> Any:
        if stockrecord is None or stockrecord.price is None:
            return Unavailable()
        excl_tax = without_tax(stockrecord.price)
        return TaxInclusiveFixedPrice(
            currency=stockrecord.price_currency, excl_tax=excl_tax, tax=stockrecord.price - excl_tax
        )

    def parent_pricing_policy(self, product: Any, children_stock: list[tuple[Any, Any]]) -> Any:
        records = [stockrecord for _child, stockrecord in children_stock if stockrecord is not None]
        return self.pricing_policy(product, records[0] if records else None)
