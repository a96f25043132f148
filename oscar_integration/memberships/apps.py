from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MembershipsConfig(AppConfig):
    """Optional. Comes after "oscar_integration" in INSTALLED_APPS."""

    name = "oscar_integration.memberships"
    label = "referral_memberships"
    verbose_name = _("Memberships")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.core import checks

        from oscar_integration.memberships import checks as ours
        from oscar_integration.memberships import announcing, presets, receivers

        presets.register()
        receivers.connect()
        announcing.register()
        for check in ours.CHECKS:
            checks.register(check, "referrals")
