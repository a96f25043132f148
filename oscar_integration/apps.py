from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.utils.translation import gettext_lazy as _


class OscarIntegrationConfig(AppConfig):
    """Comes after Oscar's apps in INSTALLED_APPS: their configurations have chosen their views by then."""

    name = "oscar_integration"
    label = "oscar_integration"
    verbose_name = _("Referrals in the shop")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from oscar_integration import audit, codes, combining, doctor, leaving, receivers, stages
        from oscar_integration import checks as ours
        from oscar_integration.account import extend_account
        from oscar_integration.actions import ToProduct
        from oscar_integration.checkout import extend_checkout
        from oscar_integration.dashboard import extend_navigation, extend_order_page
        from oscar_integration.dispatching import route_messages
        from oscar_integration.gifts import FreeProductKind
        from oscar_integration.history import extend_history
        from oscar_integration.question import extend_question
        from oscar_integration.thank_you import extend_thank_you
        from oscar_integration.triggers import BuysFromRange, BuysProductClass
        from wagtail_referrals import conf
        from wagtail_referrals.kinds import reward_kinds, triggers
        from wagtail_referrals.site.actions import action_targets

        # Who installs this has its shop; the setting is for one that differs.
        conf.DEFAULTS["SHOP"] = "oscar_integration.OscarShop"
        extend_checkout(apps.get_app_config("checkout"))
        extend_question(apps.get_app_config("checkout"))
        extend_thank_you(apps.get_app_config("checkout"))
        extend_history(apps.get_app_config("customer"))
        extend_account(apps.get_app_config("customer"))
        extend_order_page(apps.app_configs.get("orders_dashboard"))
        extend_navigation(settings)
        receivers.connect()
        stages.connect()
        combining.connect()
        codes.connect(apps.app_configs.get("vouchers_dashboard"))
        audit.register()
        doctor.register()
        leaving.register()
        route_messages()
        reward_kinds.register(FreeProductKind())
        action_targets.register(ToProduct())
        triggers.register(BuysFromRange())
        triggers.register(BuysProductClass())
        for check in ours.CHECKS:
            checks.register(check, "referrals")
