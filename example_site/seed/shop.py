"""Puts the catalogue into Oscar: kinds, shelves, articles with stock and picture, ranges, countries."""

from datetime import timedelta
from pathlib import Path
from shutil import copyfile
from typing import Any

import oscar
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.seed.catalogue import ARTICLES, KINDS, RANGES, SHELVES, Article

Category = get_model("catalogue", "Category")
Country = get_model("address", "Country")
Partner = get_model("partner", "Partner")
Product = get_model("catalogue", "Product")
ProductAttribute = get_model("catalogue", "ProductAttribute")
ProductCategory = get_model("catalogue", "ProductCategory")
ProductClass = get_model("catalogue", "ProductClass")
ProductImage = get_model("catalogue", "ProductImage")
Range = get_model("offer", "Range")
StockRecord = get_model("partner", "StockRecord")


def seed_countries() -> None:
    for code, name in (("FR", "France"), ("LU", "Luxembourg"), ("MC", "Monaco")):
        Country.objects.update_or_create(
            iso_3166_1_a2=code,
            defaults={
                "iso_3166_1_a3": {"FR": "FRA", "LU": "LUX", "MC": "MCO"}[code],
                "printable_name": name,
                "name": name,
                "is_shipping_country": True,
                "display_order": 1 if code == "FR" else 0,
            },
        )


def seed_catalogue() -> int:
    """Create or update every article; return how many there are."""
    kinds = {kind.name: _kind(kind) for kind in KINDS}
    shelves = {shelf.slug: _shelf(shelf) for shelf in SHELVES}
    partner, _created = Partner.objects.get_or_create(code="studio", defaults={"name": "Studio Souffle"})
    for position, article in enumerate(ARTICLES):
        _article(article, position, kinds[article.kind.name], shelves[article.shelf], partner)
    for name, slug, members in RANGES:
        _range(name, slug, members, kinds)
    _missing_picture()
    return len(ARTICLES)


def _kind(kind: Any) -> Any:
    product_class, _created = ProductClass.objects.update_or_create(
        name=kind.name, defaults={"requires_shipping": kind.is_sent, "track_stock": kind.has_stock}
    )
    if kind.name == "Clothing":
        ProductAttribute.objects.get_or_create(
            product_class=product_class, code="size", defaults={"name": "Size", "type": "text"}
        )
    return product_class


def _shelf(shelf: Any) -> Any:
    category = Category.objects.filter(slug=shelf.slug, depth=1).first()
    if category is None:
        category = Category.add_root(name=shelf.name, slug=shelf.slug)
    category.name, category.description = shelf.name, shelf.text
    category.save()
    return category


def _article(article: Article, position: int, product_class: Any, category: Any, partner: Any) -> None:
    structure = Product.PARENT if article.sizes else Product.STANDALONE
    product, created = Product.objects.update_or_create(
        upc=article.sku,
        defaults={
            "title": article.title,
            "description": article.text,
            "product_class": product_class,
            "structure": structure,
        },
    )
    if created:
        _place(product, timedelta(minutes=position))
    ProductCategory.objects.get_or_create(product=product, category=category)
    for index, size in enumerate(article.sizes):
        child, created = Product.objects.update_or_create(
            upc=f"{article.sku}-{size}",
            defaults={
                "title": "",
                "structure": Product.CHILD,
                "parent": product,
                "slug": f"{product.slug}-{size.lower()}",
            },
        )
        if getattr(child.attr, "size", None) != size:
            child.attr.size = size
            child.attr.save()
        if created:
            _place(child, timedelta(minutes=position, seconds=index))
        _stock(article, child, f"{article.sku}-{size}", partner)
    if not article.sizes:
        _stock(article, product, article.sku, partner)
    _picture(article, product)


def _place(product: Any, age: timedelta) -> None:
    """Listings show the newest first: keep the order in which the catalogue was written."""
    Product.objects.filter(pk=product.pk).update(date_created=timezone.now() - age)


def _stock(article: Article, product: Any, sku: str, partner: Any) -> None:
    StockRecord.objects.get_or_create(
        partner=partner,
        partner_sku=sku,
        defaults={
            "product": product,
            "price": article.price,
            "price_currency": "EUR",
            "num_in_stock": article.stock if article.kind.has_stock else None,
            "low_stock_threshold": 3 if article.kind.has_stock else None,
        },
    )


def _picture(article: Article, product: Any) -> None:
    image = ProductImage.objects.filter(product=product, display_order=0).first()
    if image is not None and image.original.storage.exists(image.original.name):
        return
    image = image or ProductImage(product=product, display_order=0)
    image.original.save(f"{article.sku.lower()}.jpg", ContentFile(article.draw()), save=True)


def _range(name: str, slug: str, members: Any, kinds: dict[str, Any]) -> None:
    group, _created = Range.objects.update_or_create(
        slug=slug, defaults={"name": name, "includes_all_products": members is None, "is_public": False}
    )
    if members is not None:
        group.classes.set(kinds[kind.name] for kind in members)


def _missing_picture() -> None:
    """Oscar shows this picture for a product without one; it has to be among the uploaded files."""
    target = Path(settings.MEDIA_ROOT) / settings.OSCAR_MISSING_IMAGE_URL
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        copyfile(Path(oscar.__file__).parent / "static/oscar/img/image_not_found.jpg", target)
