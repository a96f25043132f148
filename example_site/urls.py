"""Addresses of the example shop: pages and shop under /en/ and /fr/, back offices without a language prefix."""

from django.apps import apps
from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from example_site.pages.views import members_only, search

MEMBERSHIPS = "oscar_integration.memberships"

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/", include(wagtailadmin_urls)),
    path("django-admin/", admin.site.urls),
    path("documents/", include(wagtaildocs_urls)),
    path("", include("example_site.card.urls")),
    *static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT),
]

if apps.is_installed("wagtail_referrals"):
    # Before the pages, and without a language: friends may speak another one.
    urlpatterns += [path("", include("wagtail_referrals.urls"))]

# Oscar's first pattern sends "" to its catalogue and would hide the Wagtail home page.
urlpatterns += i18n_patterns(
    path("search/", search),
    path("members-only/", members_only, name="members-only"),
    path("account/", include("example_site.card.account_urls")),
    *(
        [path("memberships/", include("oscar_integration.memberships.urls"))]
        if apps.is_installed(MEMBERSHIPS)
        else []
    ),
    path("", include("example_site.backoffice.urls")),
    path("", include(apps.get_app_config("oscar").urls[0][1:])),
    path("", include(wagtail_urls)),
)
