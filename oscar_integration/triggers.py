"""Moments that ask what was bought: something from a range, or of a type of product."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_integration.gifts import title_in
from wagtail_referrals.kinds import PurchaseOccasion, Rule, Trigger
from wagtail_referrals.programs import TermsData

FIRST: Final = "first"
EACH: Final = "each"


def _orders_field() -> forms.ChoiceField:
    return forms.ChoiceField(
        label=_("Which orders"),
        choices=[(FIRST, _("the first one with such products")), (EACH, _("each one with such products"))],
        initial=FIRST,
        help_text=_(
            "The first one has to be placed within the days to order. "
            "Percentages and the minimum count these products only."
        ),
    )


class _BuysSome(Trigger):
    """The friend buys certain products. Percentages, minimum and refunds of the rule count their lines only.

    Options of the rule: what is asked for (``option``, a primary key), its name by language as it was when the rule was
    written (``names``), and whether the first such order counts or each one (``orders``).
    """

    option: str
    names: str
    orders: str

    def chosen_field(self) -> forms.Field:
        raise NotImplementedError

    def chosen_model(self) -> Any:
        raise NotImplementedError

    def is_in(self, chosen: Any, line: Mapping[str, Any]) -> bool:
        raise NotImplementedError

    def option_fields(self) -> dict[str, forms.Field]:
        return {self.option: self.chosen_field(), self.orders: _orders_field()}

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        chosen = values.get(self.option)
        if chosen is None:
            return {}
        names = {}
        for language, _name in settings.LANGUAGES:
            with override(language):
                names[language] = str(chosen)
        return {
            self.option: chosen.pk,
            self.names: names,
            self.orders: EACH if values.get(self.orders) == EACH else FIRST,
        }

    def initial_options(self, options: dict[str, Any]) -> dict[str, Any]:
        """What no longer exists is as if it had not been chosen."""
        chosen = options.get(self.option)
        if chosen is not None and not self.chosen_model()._default_manager.filter(pk=chosen).exists():
            chosen = None
        return {self.option: chosen, self.orders: options.get(self.orders, FIRST)}

    def eligible_lines(
        self, rule: Rule, lines: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]] | None:
        """The lines of these products. What was given away with an order was not bought."""
        chosen = rule.options.get(self.option)
        return [line for line in lines if self.is_in(chosen, line) and Decimal(line["amount"]) > 0]

    def matches(self, rule: Rule, purchase: PurchaseOccasion) -> bool:
        return purchase.is_first or self.repeats(rule)

    def repeats(self, rule: Rule) -> bool:
        return rule.options.get(self.orders) == EACH

    def name_of(self, rule: Rule) -> str:
        """What is asked for, in the current language."""
        return title_in(rule.options.get(self.names) or {})


class BuysFromRange(_BuysSome):
    """Which ranges a product is in is asked when the order is placed, and frozen with it: see ``asked_ranges``."""

    key = "buys_from_range"
    label = _("the friend buys from a range")
    option = "bought_range"
    names = "bought_range_names"
    orders = "bought_range_orders"

    def chosen_model(self) -> Any:
        return get_model("offer", "Range")

    def chosen_field(self) -> forms.Field:
        from oscar_integration.range_chooser import range_chooser

        return forms.ModelChoiceField(
            label=_("Range"),
            queryset=self.chosen_model()._default_manager.all(),
            widget=range_chooser.widget_class,
            help_text=_("What is in it counts at the moment of the order."),
        )

    def option_hints(self, options: dict[str, Any]) -> list[str]:
        chosen = self.chosen_model()._default_manager.filter(pk=options.get(self.option)).first()
        if chosen is None or chosen.all_products().exists():
            return []
        return [
            gettext("There is no product in “%(range)s”: nobody can buy from it.")
            % {"range": title_in(options.get(self.names) or {}) or chosen}
        ]

    def is_in(self, chosen: Any, line: Mapping[str, Any]) -> bool:
        return chosen in line.get("ranges", ())

    def words(self, rule: Rule) -> str:
        name = {"range": self.name_of(rule)}
        if self.repeats(rule):
            return gettext("has bought from “%(range)s”, each time") % name
        return gettext("has bought from “%(range)s”") % name


class BuysProductClass(_BuysSome):
    """Oscar's product classes are "product types" in its dashboard. A variant is of its parent's type."""

    key = "buys_product_class"
    label = _("the friend buys a type of product")
    option = "bought_class"
    names = "bought_class_names"
    orders = "bought_class_orders"

    def chosen_model(self) -> Any:
        return get_model("catalogue", "ProductClass")

    def chosen_field(self) -> forms.Field:
        return forms.ModelChoiceField(
            label=_("Product type"), queryset=self.chosen_model()._default_manager.order_by("name")
        )

    def option_hints(self, options: dict[str, Any]) -> list[str]:
        chosen = options.get(self.option)
        products = get_model("catalogue", "Product")._default_manager
        if products.filter(Q(product_class=chosen) | Q(parent__product_class=chosen)).exists():
            return []
        return [
            gettext("There is no product of the type “%(type)s”: nobody can buy one.")
            % {"type": title_in(options.get(self.names) or {})}
        ]

    def is_in(self, chosen: Any, line: Mapping[str, Any]) -> bool:
        return line.get("product_class") == chosen and chosen is not None

    def words(self, rule: Rule) -> str:
        name = {"type": self.name_of(rule)}
        if self.repeats(rule):
            return gettext("has bought a product of the type “%(type)s”, each time") % name
        return gettext("has bought a product of the type “%(type)s”") % name


def asked_ranges(terms: Iterable[TermsData]) -> frozenset[int]:
    """The ranges that rules of these terms ask about."""
    found = {
        rule.options.get(BuysFromRange.option)
        for data in terms
        for rule in data.rules
        if rule.trigger == BuysFromRange.key
    }
    return frozenset(pk for pk in found if pk is not None)
