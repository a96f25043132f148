from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "example_site.backoffice"
    label = "example_backoffice"
    verbose_name = _("Shop manager's actions")

    def ready(self) -> None:
        from example_site.backoffice import checks

        if settings.EXAMPLE_CHECKS:
            checks.register()
