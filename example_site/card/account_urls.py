"""The customer's page, below the account and in the customer's language."""

from django.urls import path

from example_site.card.views import card_page

app_name = "account_card"
urlpatterns = [path("card/", card_page, name="page")]
