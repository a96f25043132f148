from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class WagtailReferralsConfig(AppConfig):
    name = "wagtail_referrals"
    label = "wagtail_referrals"
    verbose_name = _("Referrals")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail_referrals import receivers
        from wagtail_referrals.admin.groups import grant_to_stock_groups
        from wagtail_referrals.checks import CHECKS
        from wagtail_referrals.credit.gone import forget_after_migrate
        from wagtail_referrals.site import mail_look, recognised, settings

        receivers.connect()
        settings.connect()
        recognised.connect()
        mail_look.connect()
        post_migrate.connect(grant_to_stock_groups, dispatch_uid="wagtail_referrals.groups")
        post_migrate.connect(forget_after_migrate, sender=self, dispatch_uid="wagtail_referrals.gone")
        for check in CHECKS:
            checks.register(check, "referrals")
