"""A product for free: the kind of reward, and what is asked of the product."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_class, get_model

from wagtail_referrals.kinds import DiscountKind, Rule

# Options of the rule: the product's number, and its title by language, as it was when the rule was written.
PRODUCT: Final = "gift_product"
TITLES: Final = "gift_titles"


def giftable() -> Any:
    """Products that can stand in a basket by themselves: standalone ones, and children of a parent."""
    Product = get_model("catalogue", "Product")
    return Product._default_manager.filter(structure__in=[Product.STANDALONE, Product.CHILD])


def title_in(titles: dict[str, str]) -> str:
    """The title in the current language, else in the site's, else any."""
    for language in (get_language() or "", (get_language() or "").split("-")[0], settings.LANGUAGE_CODE):
        if titles.get(language):
            return titles[language]
    return next(iter(titles.values()), "")


class GiftProductField(forms.ModelChoiceField):
    """A product of the catalogue, chosen in a window with a search, that a basket can take as it is."""

    def __init__(self, **kwargs: Any) -> None:
        from oscar_integration.product_chooser import product_chooser

        super().__init__(queryset=giftable(), widget=product_chooser.widget_class, **kwargs)

    def clean(self, value: Any) -> Any:
        product = super().clean(value)
        if product is None:
            return None
        if product.options.filter(required=True).exists():
            raise ValidationError(
                gettext("“%(product)s” is made to the customer's wishes, which nobody is asked for here.")
                % {"product": product.get_title()}
            )
        if not get_class("partner.strategy", "Selector")().strategy().fetch_for_product(product).price.exists:
            raise ValidationError(
                gettext("“%(product)s” has no price: the shop cannot sell it.")
                % {"product": product.get_title()}
            )
        return product


class FreeProductKind(DiscountKind):
    """One piece of a product, put into the basket and taken off the total. It counts for no minimum."""

    key = "free_product"
    label = _("A product for free")

    def option_fields(self) -> dict[str, forms.Field]:
        return {
            PRODUCT: GiftProductField(
                label=_("Product"),
                help_text=_(
                    "One piece is put into the basket and costs nothing. It does not count for a minimum; "
                    "where there is none, it can be ordered alone."
                ),
            )
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        product = values.get(PRODUCT)
        if product is None:
            return {}
        titles = {}
        for language, _name in settings.LANGUAGES:
            with override(language):
                titles[language] = str(product.get_title())
        return {PRODUCT: product.pk, TITLES: titles}

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {PRODUCT: options.get(PRODUCT)}

    def words(self, rule: Rule, currency: str) -> str:
        return gift_words(rule.options)


def gift_words(options: dict[str, Any]) -> str:
    """What a rule with these options gives, in the current language."""
    return gettext("a free “%(product)s”") % {"product": title_in(options.get(TITLES) or {})}
