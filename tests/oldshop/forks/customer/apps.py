import oscar.apps.customer.apps as apps
from django.contrib.auth.decorators import login_required
from django.urls import path
from oscar.core.loading import get_class


class CustomerConfig(apps.CustomerConfig):
    name = "forks.customer"

    def ready(self):
        super().ready()
        self.projects_view = get_class("customer.views", "ProjectsView")

    def get_urls(self):
        return [
            path("projects/", login_required(self.projects_view.as_view()), name="projects"),
            *super().get_urls(),
        ]
