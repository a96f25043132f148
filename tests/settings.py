"""The example shop as the test project: the same apps and views, with everything outside this process taken away.

TEST_DATABASE=sqlite (the default) or postgres chooses the database; conftest.py gives every test process its own.
"""

import os

from example_site.settings import *  # noqa: F403
from tests.environment import ROOT, databases

# Wagtail's and the shop's pages are served by their final code paths, not by those of a developer's machine.
DEBUG = False
SECRET_KEY = "tests"
ALLOWED_HOSTS = ["*"]
DATABASES = databases()

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
MEDIA_ROOT = ROOT / ".cache" / "media" / str(os.getpid())
LOGGING_CONFIG = None

# As shops have it unless they ask for it: the question at the payment step costs queries.
WAGTAIL_REFERRALS_OSCAR = {**WAGTAIL_REFERRALS_OSCAR, "ASK_WHO_SENT": False}  # noqa: F405
# What the package's own checks say; the tests of the shop's history ask for the shop's.
EXAMPLE_CHECKS = False
