from django.urls import re_path

from example_site.card.views import bank_page

app_name = "example_card"
urlpatterns = [
    re_path(r"^bank/(?P<language>en|fr)/(?P<token>[\w-]{16,32})/$", bank_page, name="bank-page"),
]
