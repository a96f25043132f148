from oscar.apps.checkout import session


class CheckoutSessionMixin(session.CheckoutSessionMixin):
    """Every order knows the address that it was placed at, and what to write on the gift card."""

    def build_submission(self, **kwargs):
        submission = super().build_submission(**kwargs)
        submission["order_kwargs"]["gift_message"] = self.checkout_session.get_gift_message()
        if self.request.storefront:
            submission["order_kwargs"]["site"] = self.request.storefront.site
        return submission
