"""The test project, with one view more: the least that a share link could do."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.urls"
