"""The shipping methods offered at checkout."""

from oscar.apps.shipping import repository

from example_site.shipping.methods import HomeDelivery, StudioPickUp


class Repository(repository.Repository):
    """The first method is the one that the basket page estimates with."""

    methods = (HomeDelivery(), StudioPickUp())
