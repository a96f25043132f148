from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class FeedbackConfig(AppConfig):
    """Optional. Needs "wagtail.contrib.forms", and comes after "wagtail_referrals" in INSTALLED_APPS."""

    name = "wagtail_referrals.feedback"
    label = "referral_feedback"
    verbose_name = _("Referral feedback")
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Raises ``ImproperlyConfigured`` where Wagtail's form builder is not installed."""
        # Else Django would say something about a model of Wagtail's that nobody here has named.
        if not apps.is_installed("wagtail.contrib.forms"):
            raise ImproperlyConfigured(
                '"wagtail_referrals.feedback" needs "wagtail.contrib.forms" in INSTALLED_APPS.'
            )
        super().import_models()

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from wagtail_referrals.credit.gone import forget_after_migrate
        from wagtail_referrals.feedback import asking, forgetting, leaving
        from wagtail_referrals.feedback.groups import grant_to_stock_groups

        asking.register()
        forgetting.connect()
        leaving.register()
        post_migrate.connect(grant_to_stock_groups, dispatch_uid="referral_feedback.groups")
        post_migrate.connect(forget_after_migrate, sender=self, dispatch_uid="referral_feedback.gone")
