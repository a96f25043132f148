from django.contrib import admin

from storefront.models import Storefront

admin.site.register(Storefront)
