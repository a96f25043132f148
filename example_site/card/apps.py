from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CardConfig(AppConfig):
    name = "example_site.card"
    label = "example_card"
    verbose_name = _("Demonstration card")
    default_auto_field = "django.db.models.BigAutoField"
