from django.urls import path, re_path

from example_site.backoffice import views

app_name = "example_backoffice"
urlpatterns = [
    path("manage/orders/<str:number>/<slug:action>/", views.order_action, name="order-action"),
    path("mails/", views.mail_list, name="mail-list"),
    re_path(r"^mails/(?P<name>[\w.-]+)/$", views.mail_detail, name="mail-detail"),
]
