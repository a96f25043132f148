"""Referrals in a shop that runs on django-oscar."""

from importlib import import_module
from typing import Any

# Where the public names live. Imported at first use: this package is an app, and imported before any model.
_PUBLIC = {
    "OscarShop": "oscar_integration.shop",
    "attach_claim": "oscar_integration.basket",
    "CreditPaymentMixin": "oscar_integration.checkout",
    "CreditPaymentMethodMixin": "oscar_integration.checkout",
    "refund_credit": "oscar_integration.refunds",
}

__all__ = ["CreditPaymentMethodMixin", "CreditPaymentMixin", "OscarShop", "attach_claim", "refund_credit"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
