from __future__ import annotations

from typing import Any

import pytest

from tests.example_site.conftest import catalogue, small_pictures  # noqa: F401  (pytest finds these by their names)
from tests.oscar_integration.shopping import make_program
from wagtail_referrals.rewards import sweep


@pytest.fixture
def healthy(catalogue: None, settings: Any) -> Any:  # noqa: F811
    """The example shop with something to sell and a program, swept a moment ago."""
    from wagtail.models import Site

    Site.objects.update(hostname="shop.example.com", port=80)
    settings.ALLOWED_HOSTS = ["shop.example.com"]
    terms = make_program()
    sweep()
    return terms
