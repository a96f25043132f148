"""What the shopper says at the payment step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_referrals.credit import format_money, quantize


class AmountField(forms.DecimalField):
    """An amount as people type it: with the decimal sign of their language, or the other one."""

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        if isinstance(value, str):
            value = "".join(value.split())
            if "," in value and "." not in value:
                value = value.replace(",", ".")
        return super().to_python(value)


class CreditForm(forms.Form):
    """ "Use my 15.00 €": a tick and an amount. Unticked means: use none."""

    use = forms.BooleanField(required=False)
    amount = AmountField(
        label=gettext_lazy("Amount to use"),
        required=False,
        localize=True,
        max_digits=12,
        decimal_places=2,
        widget=forms.TextInput(
            attrs={"class": "form-control w-auto", "inputmode": "decimal", "autocomplete": "off", "size": 8}
        ),
    )

    def __init__(self, *args: Any, currency: str, available: Decimal, must_tick: bool, **kwargs: Any) -> None:
        """``must_tick``: no credit is used yet, so that sending the form unticked can only be an oversight."""
        kwargs.setdefault("auto_id", "id_referral_credit_%s")
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.available = available
        self.must_tick = must_tick
        self.fields["use"].label = _("Use my %(amount)s") % {"amount": format_money(available, currency)}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("use"):
            # What is written in the amount does not matter then.
            self.errors.pop("amount", None)
            if self.must_tick:
                self.add_error("use", _("Tick the box to use your credit."))
            cleaned["amount"] = Decimal("0.00")
            return cleaned
        if "amount" in self.errors:
            return cleaned
        amount = cleaned.get("amount")
        if amount is None or amount <= 0:
            self.add_error("amount", _("Please enter an amount above zero."))
        elif quantize(amount, self.currency) > self.available:
            self.add_error(
                "amount",
                _("You have %(amount)s of credit.") % {"amount": format_money(self.available, self.currency)},
            )
        else:
            cleaned["amount"] = quantize(amount, self.currency)
        return cleaned
