"""The studio's pages, in English and in French, with their pictures.

A page that an editor has changed is left alone.
"""

import json
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.sites.models import Site as DjangoSite
from django.core.files.base import ContentFile
from wagtail.images import get_image_model
from wagtail.models import Locale, Page, PageViewRestriction, Site

from example_site.pages.models import ContentPage, HomePage
from example_site.seed import pictures as p
from example_site.seed.plans import MEMBERS, YEARLY_MEMBERS
from example_site.seed.texts import HOME, PAGES

PICTURES: dict[str, Any] = {
    "dawn": (
        "A person sitting on a hill in front of the rising sun",
        lambda: p.landscape(p.BLUSH, [p.BLUSH, p.SAGE, p.MOSS, p.FOREST], p.CLAY, 31, figure=True),
    ),
    "room": (
        "The large room: arched windows, mats on the floor",
        lambda: p.room(p.CREAM, p.CORK, p.OCHRE, 32),
    ),
    "evening": (
        "Hills under the moon",
        lambda: p.landscape(
            p.NIGHT, [p.DUSK, p.mix(p.DUSK, p.NIGHT, 0.5), p.NIGHT, p.dark(p.NIGHT)], p.CREAM, 33
        ),
    ),
    "sea": (
        "The sea in the morning",
        lambda: p.landscape(
            p.light(p.DUSK, 0.4), [p.light(p.DUSK, 0.3), p.DUSK, p.SAND, p.OCHRE], p.OCHRE, 34, (1180, 380)
        ),
    ),
    "garden": (
        "Green hills at noon",
        lambda: p.landscape(
            p.CREAM, [p.light(p.SAGE, 0.3), p.SAGE, p.MOSS, p.FOREST], p.OCHRE, 35, (1050, 300)
        ),
    ),
    "maelle": ("Maëlle", lambda: p.portrait(p.SAGE, (222, 176, 146), (70, 48, 40), p.CLAY, 24)),
    "idris": ("Idris", lambda: p.portrait(p.BLUSH, (150, 104, 78), (38, 32, 32), p.FOREST, 25, bun=False)),
    "soizic": ("Soizic", lambda: p.portrait(p.SAND, (236, 196, 170), (176, 98, 52), p.DUSK, 26, bun=False)),
    "lin": ("Lin", lambda: p.portrait(p.light(p.DUSK, 0.5), (226, 184, 150), (30, 30, 36), p.OCHRE, 27)),
}


def seed_pages() -> int:
    """Create both trees, or bring their texts up to date; return the number of pages."""
    english, _created = Locale.objects.get_or_create(language_code="en")
    french, _created = Locale.objects.get_or_create(language_code="fr")
    images = {name: studio_picture(name) for name in PICTURES}
    homes = _homes(english, french, images)
    count = len(homes)
    for definition in PAGES:
        original = ContentPage.objects.child_of(homes["en"]).filter(slug=definition["en"]["slug"]).first()
        if original is None:
            original = ContentPage(
                locale=english, title=definition["en"]["title"], slug=definition["en"]["slug"]
            )
            homes["en"].add_child(instance=original)
        translation = original.get_translation_or_none(french) or original.copy_for_translation(french)
        for page, language in ((original, "en"), (translation.specific, "fr")):
            _fill(page, definition[language], definition, images)
            if definition.get("members_only"):
                _for_members(page)
            count += 1
    return count


def _for_members(page: Page) -> None:
    """As the editor does it under "Privacy": for users in these groups."""
    restriction, created = PageViewRestriction.objects.get_or_create(
        page=page, defaults={"restriction_type": PageViewRestriction.GROUPS}
    )
    if created:
        for name in (MEMBERS, YEARLY_MEMBERS):
            restriction.groups.add(Group.objects.get_or_create(name=name)[0])


def _homes(english: Locale, french: Locale, images: dict[str, Any]) -> dict[str, Any]:
    home = HomePage.objects.filter(locale=english).first()
    if home is None:
        home = HomePage(locale=english, title=HOME["en"]["title"], slug="souffle")
        Page.get_first_root_node().add_child(instance=home)
    host, _colon, port = settings.EXAMPLE_HOST.partition(":")
    Site.objects.update_or_create(
        is_default_site=True,
        defaults={
            "hostname": host,
            "port": int(port or 80),
            "root_page": home,
            "site_name": "Studio Souffle",
        },
    )
    DjangoSite.objects.update_or_create(
        pk=settings.SITE_ID, defaults={"domain": settings.EXAMPLE_HOST, "name": "Studio Souffle"}
    )
    # Wagtail's welcome page is in the way.
    Page.objects.filter(depth=2, content_type__app_label="wagtailcore").delete()
    translation = home.get_translation_or_none(french) or home.copy_for_translation(french)
    homes = {"en": home, "fr": translation.specific}
    for language, page in homes.items():
        _fill(page, HOME[language], HOME, images)
    return homes


def _fill(page: Any, texts: dict[str, Any], definition: dict[str, Any], images: dict[str, Any]) -> None:
    if page.latest_revision is not None and page.latest_revision.user_id is not None:
        # An editor has written on it since: it is theirs.
        return
    page.title = texts["title"]
    if not isinstance(page, HomePage):
        page.slug = texts["slug"]
    page.introduction = texts["introduction"]
    page.search_description = texts["introduction"]
    page.picture = images[definition["picture"]]
    page.show_in_menus = definition.get("in_menu", True)
    page.body = json.dumps(_with_images(texts["body"], images))
    page.save_revision().publish()


def _with_images(value: Any, images: dict[str, Any]) -> Any:
    """Replace "image": name by the picture's id, everywhere in the blocks."""
    if isinstance(value, list):
        return [_with_images(item, images) for item in value]
    if isinstance(value, dict):
        return {
            key: images[item].pk if key == "image" and item in images else _with_images(item, images)
            for key, item in value.items()
        }
    return value


def studio_picture(name: str) -> Any:
    """One of the pictures above, drawn when it is not there."""
    Image = get_image_model()
    title, draw = PICTURES[name]
    image = Image.objects.filter(title=title).first()
    if image is not None and image.file.storage.exists(image.file.name):
        return image
    image = image or Image(title=title)
    image.description = title
    image.file.save(f"studio-{name}.jpg", ContentFile(draw()), save=False)
    image.file_size = image.file.size
    image.width, image.height = image.file.width, image.file.height
    image.save()
    return image
