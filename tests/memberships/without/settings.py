"""Without the app. The shop's own templates that ask for it are replaced, as a developer would do it."""

from pathlib import Path

from tests import settings as whole
from tests.settings import *  # noqa: F403

INSTALLED_APPS = [app for app in whole.INSTALLED_APPS if app != "oscar_integration.memberships"]
TEMPLATES = [
    {**engine, "DIRS": [Path(__file__).resolve().parent / "templates", *engine["DIRS"]]}
    for engine in whole.TEMPLATES
]
