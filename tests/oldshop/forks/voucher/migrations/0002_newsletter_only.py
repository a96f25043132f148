from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("voucher", "0001_initial")]

    operations = [
        migrations.AddField("voucher", "newsletter_only", models.BooleanField(default=False, verbose_name="Only for readers of the newsletter")),
    ]
