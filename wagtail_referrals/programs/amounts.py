"""Amounts per currency: a JSON field that editors see as one input for each of the shop's currencies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds import Rule, reward_kinds, triggers

# In a currency with cents: what is bigger was hardly meant, and has to fit the columns of what is given.
MOST: Final = Decimal("999999.99")


def local_amount(amount: Decimal, currency: str) -> Decimal:
    """``amount``, thought of in a currency with cents, in a size that is usual in ``currency`` (yen, points)."""
    return amount if credit.exponent(currency) < 1 else amount * 100


class AmountsWidget(forms.MultiWidget):
    template_name = "wagtail_referrals/widgets/amounts.html"

    def __init__(
        self, attrs: dict[str, Any] | None = None, *, currencies: Sequence[str] | None = None
    ) -> None:
        self.currencies = list(currencies or conf.currencies())
        super().__init__(
            {
                code: forms.NumberInput(attrs={"step": str(credit.exponent(code)), "min": "0"})
                for code in self.currencies
            },
            attrs,
        )

    def decompress(self, value: dict[str, str] | None) -> list[str | None]:
        return [(value or {}).get(code) for code in self.currencies]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        for widget, code in zip(context["widget"]["subwidgets"], self.currencies, strict=True):
            widget["currency"] = credit.unit_name(code)
        return context


class AmountsFormField(forms.MultiValueField):
    """Its value is {currency: "15.00"}, without the currencies left empty; ``{}`` when all are.

    ``currencies``: what amounts are asked in, by default those of the shop.
    """

    def __init__(self, *, currencies: Sequence[str] | None = None, **kwargs: Any) -> None:
        for unused in ("encoder", "decoder", "max_length"):
            kwargs.pop(unused, None)
        self.currencies = list(currencies or conf.currencies())
        fields = [
            forms.DecimalField(
                min_value=Decimal(0),
                max_digits=12,
                decimal_places=max(-int(credit.exponent(code).as_tuple().exponent), 0),
                required=False,
                validators=[
                    MaxValueValidator(
                        local_amount(MOST, code), _("This is too much: at most %(limit_value)s.")
                    )
                ],
            )
            for code in self.currencies
        ]
        kwargs["widget"] = AmountsWidget(currencies=self.currencies)
        super().__init__(fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Decimal | None]) -> dict[str, str]:
        return {
            code: str(credit.quantize(amount, code))
            for code, amount in zip(self.currencies, data_list or [], strict=False)
            if amount is not None
        }

    def has_changed(self, initial: Any, data: Any) -> bool:
        if not isinstance(initial, list):
            initial = self.widget.decompress(initial)
        return super().has_changed(initial, data)


class AmountsField(models.JSONField):
    """{currency: amount as text}. ``as_decimals`` gives it as Decimals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        kwargs.setdefault("blank", True)
        super().__init__(*args, **kwargs)

    def formfield(self, **kwargs: Any) -> forms.Field:
        return AmountsFormField(
            required=not self.blank, label=capfirst(self.verbose_name), help_text=self.help_text, initial={}
        )


def as_decimals(amounts: dict[str, str] | None) -> dict[str, Decimal]:
    """Amounts as Decimals by currency. Raises ``ValueError`` for what is no number."""
    try:
        return {code: Decimal(amount) for code, amount in (amounts or {}).items()}
    except InvalidOperation as error:
        raise ValueError(f"not an amount: {amounts}") from error


def friend_cost(rules: Iterable[Rule]) -> dict[str, Decimal]:
    """What one friend may cost, by currency or unit, as far as it is known beforehand: fixed amounts and points.

    Of milestones the dearest: a friend has one number.
    """
    always: dict[str, Decimal] = {}
    milestones: dict[int, dict[str, Decimal]] = {}
    for rule in rules:
        is_milestone = rule.trigger in triggers and triggers.get(rule.trigger).on == "tier"
        into = milestones.setdefault(rule.occurrence or 1, {}) if is_milestone else always
        kind = reward_kinds.get(rule.kind) if rule.kind in reward_kinds else None
        for currency, amount in (kind.cost(rule) if kind is not None else rule.amounts).items():
            into[currency] = into.get(currency, Decimal(0)) + amount
    dearest: dict[str, Decimal] = {}
    for costs in milestones.values():
        for currency, amount in costs.items():
            dearest[currency] = max(dearest.get(currency, Decimal(0)), amount)
    return {
        currency: always.get(currency, Decimal(0)) + dearest.get(currency, Decimal(0))
        for currency in [*always, *(code for code in dearest if code not in always)]
    }


AMOUNTS_HELP = _("Leave a currency empty where the rule gives nothing in it.")
