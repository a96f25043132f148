"""A project whose shop takes every address before Wagtail's pages are asked."""

from django.http import HttpResponse
from django.urls import include, path, re_path

urlpatterns = [
    path("admin/", include("wagtail.admin.urls")),
    path("", include("wagtail_referrals.urls")),
    re_path(r"^.*$", lambda request: HttpResponse("The shop")),
    path("", include("wagtail.urls")),
]
