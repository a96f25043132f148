from django.db import models
from django.utils.translation import gettext_lazy as _
from oscar.apps.voucher.abstract_models import AbstractVoucher


class Voucher(AbstractVoucher):
    newsletter_only = models.BooleanField(_("Only for readers of the newsletter"), default=False)

    def is_available_to_user(self, user=None):
        if self.newsletter_only and not getattr(user, "newsletter", False):
            return False, _("This voucher is for readers of our newsletter")
        return super().is_available_to_user(user=user)


from oscar.apps.voucher.models import *  # noqa: E402, F403
