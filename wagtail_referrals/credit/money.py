"""Amounts: rounding to what a currency has, and amounts as people read them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from babel.core import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal, get_currency_precision, is_currency
from babel.numbers import format_percent as babel_percent
from django.utils.translation import get_language, pgettext, to_locale

from wagtail_referrals import conf


def is_money(currency: str) -> bool:
    """Is it a currency? Other units, as a shop's points, pay for no order."""
    return bool(is_currency(currency))


def exponent(currency: str) -> Decimal:
    """The smallest unit: 0.01 for EUR, 1 for JPY (CLDR). Units that are no ISO currency (points) are whole.

    Currencies with three decimals are held to two, as Oscar stores two.
    """
    if not is_money(currency):
        return Decimal(1)
    return Decimal(1).scaleb(-min(get_currency_precision(currency), 2))


def has_lost_decimals(currency: str) -> bool:
    """Does the currency have more decimals than are kept of it, as the Kuwaiti dinar with three?"""
    return is_money(currency) and bool(get_currency_precision(currency) > 2)


def quantize(amount: Decimal, currency: str) -> Decimal:
    """``amount`` rounded half up to the smallest unit of ``currency``."""
    return amount.quantize(exponent(currency), rounding=ROUND_HALF_UP)


def babel_locale() -> Locale:
    """The current language as Babel knows it; English where Babel does not."""
    try:
        return Locale.parse(to_locale(get_language() or "en"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def format_money(amount: Decimal, currency: str) -> str:
    """``amount`` as read in the current language: "15,00 €" in French, "€15.00" in English, "120 leaves"."""
    if not is_money(currency):
        # Translators: a number of points and their name, like "120 leaves".
        return pgettext("points", "%(number)s %(name)s") % {
            "number": format_decimal(amount, locale=babel_locale()),
            "name": unit_name(currency, int(amount)),
        }
    return str(format_currency(amount, currency, locale=babel_locale()))


def unit_name(currency: str, number: int = 2) -> str:
    """What people call the unit: the shop's name for its points ("leaf", "leaves"), else the code as it is."""
    points = conf.points()
    return points.named(number) if points is not None and points.unit == currency else currency


def format_percent(percent: Decimal) -> str:
    """``percent`` (0 to 100) as read in the current language: "10 %" in French, "10%" in English."""
    return str(babel_percent(percent / 100, locale=babel_locale(), decimal_quantization=False))
