"""A project with nothing but the ledger, the floor and django-hordak, on the PostgreSQL of the tests."""

import os

os.environ["TEST_DATABASE"] = "postgres"

from tests.environment import databases

SECRET_KEY = "benchmarks"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "mptt",
    "hordak",
    "wagtail_referrals.credit",
    "benchmarks.floor",
]
DATABASES = databases()
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEFAULT_CURRENCY = HORDAK_INTERNAL_CURRENCY = "EUR"
