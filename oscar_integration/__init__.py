"""Referrals in a shop that runs on django-oscar."""

from importlib import import_module
from typing import Any

# Where the public names live. Imported at first use: this package is an app, and imported before any model.
_PUBLIC = {
    "CreditPaymentMixin": "oscar_integration.checkout",
    "CreditPaymentMethodMixin": "oscar_integration.checkout",
    "refund_credit": "oscar_integration.refunds",
}

__all__ = ["CreditPaymentMethodMixin", "CreditPaymentMixin", "refund_credit"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
