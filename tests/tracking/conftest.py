from tests.site.conftest import advocate, browser_client, camille, link, make_user, terms  # noqa: F401
