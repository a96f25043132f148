from django.contrib import admin

from cards.models import Charge


@admin.register(Charge)
class ChargeAdmin(admin.ModelAdmin):
    list_display = ["date_created", "order_number", "amount", "currency", "last4", "accepted"]
    search_fields = ["order_number", "reference"]
