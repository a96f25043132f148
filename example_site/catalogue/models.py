"""Products, categories and product types that read in the shopper's language.

Titles and texts are stored in English and looked up in the site's gettext catalogue, which costs no query. What a shop
manager writes that the catalogue does not know is shown as written.
"""

from django.utils.html import strip_tags
from django.utils.translation import gettext
from oscar.apps.catalogue.abstract_models import AbstractCategory, AbstractProduct, AbstractProductClass


def translated(text: str | None) -> str:
    """Return the text in the active language, or as it is; "" for nothing (gettext("") would return its header)."""
    return gettext(text) if text else ""


class ProductClass(AbstractProductClass):
    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return translated(self.name)


class Category(AbstractCategory):
    @property
    def display_name(self) -> str:
        return translated(self.name)

    @property
    def display_description(self) -> str:
        return translated(self.description)

    def get_meta_title(self) -> str:
        return self.meta_title or self.display_name


class Product(AbstractProduct):
    def __str__(self) -> str:
        return self.get_title()

    def get_title(self) -> str:
        """Title in the active language; a variant adds its choice, so that an order line says which size it was."""
        title = translated(super().get_title())
        if self.is_child and not self.title and self.pk:
            choices = ", ".join(str(value.value_as_text) for value in self.get_attribute_values())
            return f"{title}, {choices}" if choices else title
        return title

    @property
    def attribute_summary(self) -> str:
        return ", ".join(
            f"{translated(value.attribute.name)} {value.value_as_text}"
            for value in self.get_attribute_values()
        )

    @property
    def display_description(self) -> str:
        return translated(self.description or (self.parent.description if self.is_child else ""))

    def get_meta_description(self) -> str:
        return self.meta_description or strip_tags(self.display_description)


from oscar.apps.catalogue.models import *  # noqa: E402,F403
