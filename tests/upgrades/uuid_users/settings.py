"""The plain shop with those users, in the database that UUID_USERS_DATABASE names."""

import os

from tests.plainshop.settings import *  # noqa: F403

INSTALLED_APPS = ["tests.upgrades.uuid_users", *INSTALLED_APPS]  # noqa: F405
AUTH_USER_MODEL = "uuid_users.UUIDUser"
DATABASES["default"]["NAME"] = os.environ["UUID_USERS_DATABASE"]  # noqa: F405
