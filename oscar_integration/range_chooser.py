"""The window in which an editor chooses one of Oscar's ranges, by its name."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic.chooser import ChooseResultsView, ChooseView

from oscar_integration.product_chooser import WithoutCreation


class RangeSearchForm(BaseFilterForm):
    """Each word in the name or the description."""

    q = forms.CharField(
        label=_("Search term"), widget=forms.TextInput(attrs={"placeholder": _("Search")}), required=False
    )

    def filter(self, objects: Any) -> Any:
        objects = super().filter(objects)
        text = self.cleaned_data.get("q")
        if text:
            for word in text.split()[:10]:
                objects = objects.filter(Q(name__icontains=word) | Q(description__icontains=word))
            self.is_searching = True
            self.search_query = text
        return objects


class RangeListing:
    filter_form_class = RangeSearchForm
    ordering = ["name", "pk"]

    @property
    def columns(self) -> list[Column]:
        title: Column = self.title_column  # type: ignore[attr-defined]
        title.label = _("Range")
        return [title]


class ChooseRangeView(RangeListing, ChooseView):
    pass


class ChooseRangeResultsView(RangeListing, ChooseResultsView):
    pass


range_chooser = WithoutCreation(
    "referrals_range_chooser",
    url_prefix="referrals/ranges",
    model="offer.Range",
    icon="list-ul",
    choose_one_text=_("Choose a range"),
    choose_another_text=_("Choose another range"),
    choose_view_class=ChooseRangeView,
    choose_results_view_class=ChooseRangeResultsView,
    register_widget=False,
)
