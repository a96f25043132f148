from django.contrib import admin

from accounts.models import User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["email", "first_name", "last_name", "is_staff", "newsletter"]
    search_fields = ["email", "last_name"]
    exclude = ["password"]
