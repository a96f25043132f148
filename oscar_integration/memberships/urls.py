"""Addresses of the customer's page: include them where the site's other pages stand.

path("memberships/", include("oscar_integration.memberships.urls"))
"""

from __future__ import annotations

from django.urls import path

from oscar_integration.memberships import views

app_name = "memberships"

urlpatterns = [
    path("", views.memberships, name="list"),
    path("<int:pk>/renewal/", views.renewal, name="renewal"),
    path("<int:pk>/retry/", views.retry, name="retry"),
]
