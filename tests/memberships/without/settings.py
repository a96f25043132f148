"""Without the app, and without what the shop's own templates show of it."""

from tests import settings as whole
from tests.settings import *  # noqa: F403

INSTALLED_APPS = [app for app in whole.INSTALLED_APPS if app != "oscar_integration.memberships"]
TEMPLATES = [
    {**engine, "DIRS": [folder for folder in engine["DIRS"] if folder.name != "templates_memberships"]}
    for engine in whole.TEMPLATES
]
