"""Oscar 3: its mails live in an app of their own, which has taken our tables over already."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("customer", "0006_projects"),
        ("communication", "0002_reset_table_names"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.DeleteModel("Email"),
                migrations.DeleteModel("Notification"),
                migrations.DeleteModel("CommunicationEventType"),
            ]
        )
    ]
