"""The addresses of the example shop as they are where shoppers are asked who sent them."""

from runpy import run_path

from django.apps import apps

from example_site import urls
from oscar_integration.checkout import extend
from oscar_integration.question import ReferralQuestionMixin

_checkout = apps.get_app_config("checkout")
_as_found = _checkout.payment_details_view
_checkout.payment_details_view = extend(_as_found, ReferralQuestionMixin)
try:
    urlpatterns = run_path(urls.__file__)["urlpatterns"]
finally:
    _checkout.payment_details_view = _as_found
