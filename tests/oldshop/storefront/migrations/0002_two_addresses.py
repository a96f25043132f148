from django.db import migrations

STOREFRONTS = [
    ("shop.example", "Lakeside Wool", "Yarn from the Alps", "#2f5d62"),
    ("boutique.example", "Laines du Lac", "La laine des Alpes", "#8a3b4a"),
]


def create(apps, schema_editor):
    Site = apps.get_model("sites", "Site")
    Storefront = apps.get_model("storefront", "Storefront")
    for number, (domain, brand, tagline, colour) in enumerate(STOREFRONTS, start=1):
        site, _ = Site.objects.update_or_create(pk=number, defaults={"domain": domain, "name": brand})
        Storefront.objects.create(site=site, brand=brand, tagline=tagline, colour=colour)
    if schema_editor.connection.vendor == "postgresql":
        # The keys were given by hand: the next one comes after them.
        schema_editor.execute("SELECT setval(pg_get_serial_sequence('django_site', 'id'), 2)")


class Migration(migrations.Migration):
    dependencies = [("storefront", "0001_initial"), ("sites", "0002_alter_domain_unique")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
