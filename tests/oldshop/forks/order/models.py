from django.db import models
from django.utils.translation import gettext_lazy as _
from oscar.apps.order.abstract_models import AbstractOrder


class Order(AbstractOrder):
    gift_message = models.TextField(_("Gift message"), blank=True)
    packed_by = models.CharField(_("Packed by"), max_length=40, blank=True)


from oscar.apps.order.models import *  # noqa: E402, F403
