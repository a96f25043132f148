from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WagtailReferralsConfig(AppConfig):
    name = "wagtail_referrals"
    label = "wagtail_referrals"
    verbose_name = _("Referrals")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail_referrals import receivers

        receivers.connect()
