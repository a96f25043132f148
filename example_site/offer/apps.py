from oscar.apps.offer import apps


class OfferConfig(apps.OfferConfig):
    name = "example_site.offer"
