import oscar.apps.checkout.apps as apps
from django.urls import path
from oscar.core.loading import get_class


class CheckoutConfig(apps.CheckoutConfig):
    name = "forks.checkout"

    def ready(self):
        super().ready()
        self.gift_view = get_class("checkout.views", "GiftView")

    def get_urls(self):
        return [path("gift/", self.gift_view.as_view(), name="gift"), *super().get_urls()]
