from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PagesConfig(AppConfig):
    name = "example_site.pages"
    label = "example_pages"
    verbose_name = _("Studio pages")
    default_auto_field = "django.db.models.BigAutoField"
