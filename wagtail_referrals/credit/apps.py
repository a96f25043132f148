from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class CreditConfig(AppConfig):
    name = "wagtail_referrals.credit"
    label = "wagtail_referrals_credit"
    verbose_name = _("Referral credit")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from wagtail_referrals.credit.checks import check_sqlite, check_triggers, check_vendor
        from wagtail_referrals.credit.gone import forget_after_migrate
        from wagtail_referrals.credit.triggers import install_after_migrate

        post_migrate.connect(install_after_migrate, sender=self, dispatch_uid="referrals_ledger_triggers")
        post_migrate.connect(forget_after_migrate, sender=self, dispatch_uid="referrals_ledger_gone")
        for check in (check_triggers, check_sqlite, check_vendor):
            checks.register(check, checks.Tags.database)
