"""What is left in the database once an app's tables were dropped: ``migrate <label> zero`` does not remove it."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.contrib.contenttypes.models import ContentType
from django.db import connections, router

from wagtail_referrals.credit.triggers import FUNCTION


def forget_after_migrate(sender: AppConfig, *, using: str, apps: Any = global_apps, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``: with the content types go permissions, revisions and what else hangs on them.

    ``apps`` are the models as the migrations left them: ours, whose tables are gone, are not among them.
    """
    connection = connections[using]
    ours = {model._meta.db_table for model in sender.get_models() if router.allow_migrate_model(using, model)}
    there = set(connection.introspection.table_names())
    if not ours or ours & there or ContentType._meta.db_table not in there:
        return
    types = apps.get_model("contenttypes", "ContentType")
    types.objects.using(using).filter(app_label=sender.label).delete()
    ContentType.objects.clear_cache()
    if sender.label == "wagtail_referrals_credit" and connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP FUNCTION IF EXISTS {connection.ops.quote_name(FUNCTION)}()")
