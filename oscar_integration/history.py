"""An order's credit on its page in the customer's account, where Oscar shows no payment sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template import Template
from django.template.loader import select_template

from oscar_integration.checkout import extend
from oscar_integration.paid import OrderCredit, credit_of

if TYPE_CHECKING:
    from oscar.apps.customer.views import OrderDetailView as _OrderDetailView
else:
    _OrderDetailView = object


class OrderCreditMixin(_OrderDetailView):
    """For the view of one order. Its template gets ``referral_credit``, an ``OrderCredit`` or None. 1 query."""

    _order_credit: OrderCredit | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["referral_credit"] = spent = credit_of(self.object)
        if spent is not None:
            parent = select_template(super().get_template_names())
            if isinstance(getattr(parent, "template", None), Template):
                self._order_credit = spent
                context["credit_parent_template"] = parent
        return context

    def get_template_names(self) -> list[str]:
        if self._order_credit is None:
            names: list[str] = super().get_template_names()
            return names
        return ["oscar_integration/customer/order_detail.html"]


def extend_history(config: Any) -> None:
    """Put credit on the page of an order, in the views of Oscar's CustomerConfig."""
    view = getattr(config, "order_detail_view", None)
    if view is not None:
        config.order_detail_view = extend(view, OrderCreditMixin)
