"""What editors build the studio's pages with."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model
from oscar.templatetags.currency_filters import currency
from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock

from example_site.giving.models import Pledge

RICH_TEXT = ["bold", "italic", "link", "ul", "ol", "h3"]


class LinkBlock(blocks.StructBlock):
    """A button that leads to a page, or to a category of the shop."""

    text = blocks.CharBlock(label=_("text"), required=False, max_length=60)
    page = blocks.PageChooserBlock(label=_("page"), required=False)
    category = blocks.CharBlock(
        label=_("shop category"),
        required=False,
        help_text=_("Slug of a category of the shop, “all” for the whole catalogue."),
    )

    class Meta:
        icon = "link"
        label = _("link")
        template = "example_site/blocks/link.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context)
        context["url"] = self.url(value)
        return context

    def url(self, value: Any) -> str:
        if value.get("page"):
            return value["page"].localized.url
        slug = value.get("category")
        if slug == "all":
            return reverse("catalogue:index")
        category = get_model("catalogue", "Category").objects.filter(slug=slug).first() if slug else None
        return category.get_absolute_url() if category else ""


class ImageTextBlock(blocks.StructBlock):
    image = ImageChooserBlock(label=_("picture"))
    heading = blocks.CharBlock(label=_("heading"), max_length=120)
    text = blocks.RichTextBlock(label=_("text"), features=RICH_TEXT)
    link = LinkBlock(label=_("link"), required=False)
    picture_on_the_right = blocks.BooleanBlock(label=_("picture on the right"), required=False)

    class Meta:
        icon = "image"
        label = _("picture and text")
        template = "example_site/blocks/image_text.html"


class CardBlock(blocks.StructBlock):
    image = ImageChooserBlock(label=_("picture"), required=False)
    heading = blocks.CharBlock(label=_("heading"), max_length=80)
    text = blocks.RichTextBlock(label=_("text"), features=["bold", "italic", "link"])
    link = LinkBlock(label=_("link"), required=False)


class CardsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("heading"), required=False, max_length=120)
    cards = blocks.ListBlock(CardBlock(), label=_("cards"))

    class Meta:
        icon = "grip"
        label = _("cards")
        template = "example_site/blocks/cards.html"


class ProductsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("heading"), max_length=120)
    skus = blocks.ListBlock(blocks.CharBlock(max_length=64), label=_("article numbers"))
    link = LinkBlock(label=_("link"), required=False)

    class Meta:
        icon = "tag"
        label = _("products of the shop")
        template = "example_site/blocks/products.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context)
        products = (
            get_model("catalogue", "Product")
            .objects.browsable()
            .base_queryset()
            .filter(upc__in=value["skus"])
        )
        context["products"] = sorted(products, key=lambda product: list(value["skus"]).index(product.upc))
        return context


class QuoteBlock(blocks.StructBlock):
    text = blocks.TextBlock(label=_("text"))
    author = blocks.CharBlock(label=_("who said it"), max_length=80)

    class Meta:
        icon = "openquote"
        label = _("quote")
        template = "example_site/blocks/quote.html"


class ClassBlock(blocks.StructBlock):
    day = blocks.CharBlock(label=_("day"), max_length=20)
    time = blocks.CharBlock(label=_("time"), max_length=20)
    name = blocks.CharBlock(label=_("class"), max_length=60)
    teacher = blocks.CharBlock(label=_("teacher"), max_length=40)
    level = blocks.CharBlock(label=_("level"), max_length=40)


class TimetableBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("heading"), required=False, max_length=120)
    classes = blocks.ListBlock(ClassBlock(), label=_("classes"))

    class Meta:
        icon = "calendar-alt"
        label = _("timetable")
        template = "example_site/blocks/timetable.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context)
        days: dict[str, list[Any]] = {}
        for lesson in value["classes"]:
            days.setdefault(lesson["day"], []).append(lesson)
        context["days"] = days
        return context


class PledgesBlock(blocks.StructBlock):
    """What invitations have brought the sea rescue so far, as it stands when the page is read."""

    heading = blocks.CharBlock(label=_("heading"), max_length=120)
    text = blocks.RichTextBlock(label=_("text"), features=["bold", "italic", "link"])

    class Meta:
        icon = "pick"
        label = _("donations")
        template = "example_site/blocks/pledges.html"

    def get_context(self, value: Any, parent_context: Any = None) -> dict[str, Any]:
        context = super().get_context(value, parent_context)
        code = settings.OSCAR_DEFAULT_CURRENCY
        context["total"] = currency(Pledge.total(code), code)
        return context


class QuestionBlock(blocks.StructBlock):
    question = blocks.CharBlock(label=_("question"), max_length=160)
    answer = blocks.RichTextBlock(label=_("answer"), features=["bold", "italic", "link"])


class QuestionsBlock(blocks.StructBlock):
    heading = blocks.CharBlock(label=_("heading"), max_length=120)
    questions = blocks.ListBlock(QuestionBlock(), label=_("questions"))

    class Meta:
        icon = "help"
        label = _("questions and answers")
        template = "example_site/blocks/questions.html"


class BodyBlock(blocks.StreamBlock):
    text = blocks.RichTextBlock(
        label=_("text"), features=["h2", *RICH_TEXT], template="example_site/blocks/text.html"
    )
    image_text = ImageTextBlock()
    cards = CardsBlock()
    products = ProductsBlock()
    timetable = TimetableBlock()
    questions = QuestionsBlock()
    pledges = PledgesBlock()
    quote = QuoteBlock()
