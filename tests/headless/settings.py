"""The test project with django-oscar-api in place of the shop's pages. Tests under it run in a process of their own."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE, MIGRATION_MODULES

INSTALLED_APPS = [*INSTALLED_APPS, "rest_framework", "oscarapi"]
MIDDLEWARE = [
    "oscarapi.middleware.ApiBasketMiddleWare"
    if name == "oscar.apps.basket.middleware.BasketMiddleware"
    else name
    for name in MIDDLEWARE
]
# Its two tables are for API keys. Without them the migrated database of all other tests will do.
MIGRATION_MODULES = {**MIGRATION_MODULES, "oscarapi": None}
ROOT_URLCONF = "tests.headless.urls"
OSCARAPI_BLOCK_ADMIN_API_ACCESS = True
