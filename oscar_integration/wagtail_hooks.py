"""Wires the choosers of this package into Wagtail's admin."""

from wagtail import hooks
from wagtail.admin.viewsets.chooser import ChooserViewSet

from oscar_integration.product_chooser import product_chooser
from oscar_integration.range_chooser import range_chooser


@hooks.register("register_admin_viewset")
def choose_a_product() -> ChooserViewSet:
    return product_chooser


@hooks.register("register_admin_viewset")
def choose_a_range() -> ChooserViewSet:
    return range_chooser
