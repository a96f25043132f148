"""A project that never serves Wagtail's pages."""

from django.urls import include, path

urlpatterns = [
    path("admin/", include("wagtail.admin.urls")),
    path("", include("wagtail_referrals.urls")),
]
