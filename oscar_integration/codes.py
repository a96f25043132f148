"""Vouchers and personal codes share one field, so they should not share a code."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpResponse
from django.utils.translation import gettext as _
from oscar.core.loading import get_model

from oscar_integration.checkout import extend
from wagtail_referrals import people

if TYPE_CHECKING:
    from oscar.apps.dashboard.vouchers.views import VoucherCreateView as _VoucherView
else:
    _VoucherView = object

logger = logging.getLogger("oscar_integration")


def codes_of_vouchers(codes: Collection[str]) -> Collection[str]:
    """Which of these are codes of vouchers: no customer gets one of those. 1 query."""
    found = get_model("voucher", "Voucher").objects.filter(code__in=list(codes))
    return list(found.values_list("code", flat=True))


def is_running_voucher(code: str) -> bool:
    """Is there a voucher with this very code that can be used today? 1 query."""
    return any(voucher.is_active() for voucher in get_model("voucher", "Voucher").objects.filter(code=code))


class VoucherCodeMixin(_VoucherView):
    """For the views of the dashboard that save a voucher: warns of a code that a customer has."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        try:
            code = self.object.code
            if people.find_code(code) is not None:
                messages.warning(
                    self.request,
                    _(
                        "A customer has the code %(code)s for inviting friends. While this voucher runs, whoever types "
                        "the code gets the voucher, and not the invitation. Better give the voucher another code."
                    )
                    % {"code": code},
                )
        except Exception:
            logger.exception("The code of a voucher could not be compared with those of customers")
        return response


def connect(dashboard: Any) -> None:
    """Called once, from the app's ``ready``, with Oscar's VouchersDashboardConfig; None where there is none."""
    people.register_other_codes(codes_of_vouchers)
    for name in ("create_view", "update_view"):
        view = getattr(dashboard, name, None)
        if view is not None:
            setattr(dashboard, name, extend(view, VoucherCodeMixin))
