"""Write migrations that every supported version of Wagtail can apply: ``make migrations``.

Django makes a migration depend on the last migrations of the version that is installed, names the setting by which
Wagtail 8 lets a site swap its base page, and that page itself among the bases of ours. Here the first becomes the last
migration of the lowest supported version (of Oscar the very first one), the second what that version can read, too, and
the third follows the second. tests/upgrades/test_migrations.py and tests/site/test_swapped_page.py hold it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (
    "wagtail_referrals/migrations",
    "wagtail_referrals/credit/migrations",
    "wagtail_referrals/feedback/migrations",
    "oscar_integration/memberships/migrations",
    "example_site/pages/migrations",
    "example_site/giving/migrations",
    "example_site/card/migrations",
    "tests/plainshop/migrations",
)
# The last migrations of Wagtail 7.4; of Oscar's apps the first ones, as shops fork them and number their own.
LOWEST = {
    "catalogue": "0001_initial",
    "wagtailcore": "0097_baselogentry_uuid_action_timestamp_indexes",
    "wagtailimages": "0027_image_description",
}
PAGE = "settings.WAGTAIL_PAGE_MODEL"
PAGE_ANYWHERE = 'getattr(settings, "WAGTAIL_PAGE_MODEL", "wagtailcore.Page")'


def loosened(source: str) -> str:
    """The text of a migration, with what only the installed version of Wagtail has taken out of it."""
    for label, name in LOWEST.items():

        def lower(match: re.Match[str], name: str = name) -> str:
            return f"{match[1]}{min(match[2], name)}{match[3]}"

        source = re.sub(rf"(\('{label}', ')(\d{{4}}_\w+)('\))", lower, source)
    source = re.sub(r"(bases=\([^)]*)'wagtailcore\.page'", rf"\1{PAGE_ANYWHERE}.lower()", source)
    return source.replace(PAGE, PAGE_ANYWHERE)


def main() -> int:
    done = subprocess.run([sys.executable, "manage.py", "makemigrations", *sys.argv[1:]], cwd=ROOT)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("0*.py")):
            source = path.read_text()
            if loosened(source) != source:
                path.write_text(loosened(source))
                print(f"{path.relative_to(ROOT)}: made fit for every supported Wagtail")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
