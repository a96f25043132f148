from django.contrib import admin

from example_site.card.models import DemoCharge, StoredCard


@admin.register(DemoCharge)
class DemoChargeAdmin(admin.ModelAdmin):
    list_display = (
        "order_number",
        "amount",
        "currency",
        "status",
        "refunded",
        "last4",
        "attempts",
        "created_at",
    )
    list_filter = ("status",)
    search_fields = ("order_number",)

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False


@admin.register(StoredCard)
class StoredCardAdmin(admin.ModelAdmin):
    list_display = ("user", "label", "updated_at")

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False
