from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "example_site.backoffice"
    label = "example_backoffice"
    verbose_name = _("Shop manager's actions")
