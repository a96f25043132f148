"""The addresses of Oscar's own tests, with ours and Wagtail's."""

import importlib

from django.apps import apps
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from tests._site import urls as oscars

# Some tests change a setting and load the root module again.
importlib.reload(oscars)

urlpatterns = [
    path("cms/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    # Not at the root: Wagtail takes every path there, and Oscar tests that some are nobody's.
    path("pages/", include(wagtail_urls)),
    *oscars.urlpatterns,
]
if apps.is_installed("wagtail_referrals"):
    urlpatterns.insert(0, path("", include("wagtail_referrals.urls")))
handler403, handler404, handler500 = oscars.handler403, oscars.handler404, oscars.handler500
