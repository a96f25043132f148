from django.contrib.sites.models import Site
from django.db import models
from django.utils.translation import gettext_lazy as _


class Storefront(models.Model):
    """What is special to one of our two addresses: its name, its colour, its words. The catalogue is the same."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="storefront")
    brand = models.CharField(_("Brand"), max_length=60)
    tagline = models.CharField(_("Tagline"), max_length=120, blank=True)
    colour = models.CharField(_("Colour"), max_length=7, default="#2f5d62")

    class Meta:
        verbose_name = _("Storefront")
        verbose_name_plural = _("Storefronts")

    def __str__(self):
        return self.brand
