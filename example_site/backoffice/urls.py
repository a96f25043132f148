from django.urls import path

from example_site.backoffice import views

app_name = "example_backoffice"
urlpatterns = [
    path("manage/orders/<str:number>/<slug:action>/", views.order_action, name="order-action"),
    path("mails/", views.mail_list, name="mail-list"),
    path("mails/<slug:name>/<int:index>/", views.mail_detail, name="mail-detail"),
]
