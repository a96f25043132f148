"""The window in which an editor chooses a product: by title or UPC, among what a basket can take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.db.models import Q
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.chooser import (
    ChooseResultsView,
    ChooseView,
    ChosenMultipleView,
    ChosenView,
)
from wagtail.admin.viewsets.chooser import ChooserViewSet

from oscar_integration.gifts import giftable


class ProductSearchForm(BaseFilterForm):
    """Each word in the title, in the parent's title or in the UPC."""

    q = forms.CharField(
        label=_("Search term"), widget=forms.TextInput(attrs={"placeholder": _("Search")}), required=False
    )

    def filter(self, objects: Any) -> Any:
        objects = super().filter(objects)
        text = self.cleaned_data.get("q")
        if text:
            for word in text.split()[:10]:
                objects = objects.filter(
                    Q(title__icontains=word) | Q(parent__title__icontains=word) | Q(upc__icontains=word)
                )
            self.is_searching = True
            self.search_query = text
        return objects


def on_offer() -> Any:
    """What can be chosen. A title that says which variant it is reads its attributes."""
    return (
        giftable()
        .filter(is_public=True)
        .select_related("parent", "product_class", "parent__product_class")
        .prefetch_related("attribute_values__attribute")
    )


class ProductListing:
    """What the window lists: the newest products first, with their UPC."""

    filter_form_class = ProductSearchForm
    ordering = ["-date_created", "-pk"]

    def get_object_list(self) -> Any:
        return on_offer()

    @property
    def columns(self) -> list[Column]:
        title: Column = self.title_column  # type: ignore[attr-defined]
        title.label = _("Product")
        return [title, Column("upc", label=_("UPC"), accessor="upc")]


class ChooseProductView(ProductListing, ChooseView):
    pass


class ChooseProductResultsView(ProductListing, ChooseResultsView):
    pass


class ByKey:
    """What was chosen, by its key. Wagtail's own takes any text for one, and fails."""

    model_class: Any

    def choosable(self) -> Any:
        return self.model_class._default_manager.all()

    def get_objects(self, pks: Iterable[str]) -> Any:
        return self.choosable().filter(pk__in=[int(pk) for pk in pks if pk.isdecimal() and len(pk) < 19])

    def get_object(self, pk: str) -> Any:
        return self.get_objects([pk]).get()


class ChosenByKeyView(ByKey, ChosenView):
    pass


class ChosenMultipleByKeyView(ByKey, ChosenMultipleView):
    pass


class OnOffer:
    """Nobody learns by its key what a product is called that is not on offer yet."""

    def choosable(self) -> Any:
        return on_offer()


class ChosenProductView(OnOffer, ChosenByKeyView):
    pass


class ChosenMultipleProductsView(OnOffer, ChosenMultipleByKeyView):
    pass


class WithoutCreation(ChooserViewSet):
    """Products and ranges are made in the shop's own administration: here is no form for them."""

    chosen_view_class = ChosenByKeyView
    chosen_multiple_view_class = ChosenMultipleByKeyView

    def get_urlpatterns(self) -> list[URLPattern]:
        return [pattern for pattern in super().get_urlpatterns() if pattern.name != "create"]


product_chooser = WithoutCreation(
    "referrals_product_chooser",
    url_prefix="referrals/products",
    model="catalogue.Product",
    icon="tag",
    choose_one_text=_("Choose a product"),
    choose_another_text=_("Choose another product"),
    choose_view_class=ChooseProductView,
    choose_results_view_class=ChooseProductResultsView,
    chosen_view_class=ChosenProductView,
    chosen_multiple_view_class=ChosenMultipleProductsView,
    register_widget=False,
)
