"""A product, as the place to which the button of a landing page leads."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from wagtail_referrals.site.actions import ActionTarget

PRODUCT: Final = "action_product"


class ToProduct(ActionTarget):
    """The page of a product, while the shop shows it."""

    key = "product"
    label = _("a product")
    action_text = _("Have a look")
    is_public = True

    def option_fields(self) -> dict[str, forms.Field]:
        from oscar_integration.product_chooser import product_chooser

        products = get_model("catalogue", "Product")._default_manager.all()
        return {
            PRODUCT: forms.ModelChoiceField(products, label=_("Product"), widget=product_chooser.widget_class)
        }

    def freeze_options(self, values: dict[str, Any]) -> dict[str, Any]:
        product = values.get(PRODUCT)
        return {} if product is None else {PRODUCT: product.pk}

    def url(self, request: HttpRequest, options: dict[str, Any]) -> str:
        product = get_model("catalogue", "Product").objects.filter(pk=options.get(PRODUCT)).first()
        return str(product.get_absolute_url()) if product is not None and product.is_public else ""
