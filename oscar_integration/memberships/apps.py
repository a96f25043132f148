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
        from django.db.models.signals import post_migrate

        from oscar_integration.account import register_tab
        from oscar_integration.memberships import (
            announcing,
            audit,
            customer_page,
            doctor,
            facts,
            leaving,
            mails,
            presets,
            receivers,
            referral_page,
            sequences,
        )
        from oscar_integration.memberships import checks as ours
        from oscar_integration.memberships.admin import history
        from oscar_integration.memberships.admin.groups import grant_to_stock_groups
        from wagtail_referrals.credit.gone import forget_after_migrate

        facts.register()
        presets.register()
        receivers.connect()
        announcing.register()
        mails.register()
        referral_page.register()
        sequences.register()
        register_tab(customer_page.TAB)
        audit.register()
        doctor.register()
        leaving.register()
        history.connect()
        post_migrate.connect(grant_to_stock_groups, dispatch_uid="referral_memberships.groups")
        post_migrate.connect(forget_after_migrate, sender=self, dispatch_uid="referral_memberships.gone")
        for check in ours.CHECKS:
            checks.register(check, "referrals")
