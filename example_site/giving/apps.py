from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class GivingConfig(AppConfig):
    name = "example_site.giving"
    label = "example_giving"
    verbose_name = _("Giving")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        if not apps.is_installed("wagtail_referrals"):
            return
        from example_site.giving.donation import SeaRescue
        from wagtail_referrals.kinds import reward_kinds

        reward_kinds.register(SeaRescue())
