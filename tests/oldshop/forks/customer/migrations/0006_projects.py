import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customer", "0005_auto_20181115_1953"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Project",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80, verbose_name="Name")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="Note")),
                ("date_created", models.DateTimeField(auto_now_add=True, verbose_name="Started")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="projects", to=settings.AUTH_USER_MODEL)),
            ],
            options={"verbose_name": "Project", "verbose_name_plural": "Projects", "ordering": ["-date_created"]},
        ),
    ]
