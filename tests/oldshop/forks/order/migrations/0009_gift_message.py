from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("order", "0008_auto_20190301_1035")]

    operations = [
        migrations.AddField("order", "gift_message", models.TextField(blank=True, default="", verbose_name="Gift message"), preserve_default=False),
        migrations.AddField("order", "packed_by", models.CharField(blank=True, default="", max_length=40, verbose_name="Packed by"), preserve_default=False),
    ]
