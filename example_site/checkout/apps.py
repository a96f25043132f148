from django.urls import path
from oscar.apps.checkout import apps


class CheckoutConfig(apps.CheckoutConfig):
    """Adds the address that the bank sends the customer back to.

    It is served by `payment_details_view`, whatever that is by the time the addresses are made: an app that replaces
    the view on this configuration also answers here.
    """

    name = "example_site.checkout"

    def get_urls(self):
        return [
            path("card-return/", self.payment_details_view.as_view(card_return=True), name="card-return"),
            *super().get_urls(),
        ]
