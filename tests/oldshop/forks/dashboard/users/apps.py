import oscar.apps.dashboard.users.apps as apps
from django.urls import path


class UsersDashboardConfig(apps.UsersDashboardConfig):
    """Oscar's addresses take numbers only; our customers have UUIDs."""

    name = "forks.dashboard.users"

    def get_urls(self):
        return [
            *self.post_process_urls(
                [
                    path("<uuid:pk>/", self.user_detail_view.as_view(), name="user-detail"),
                    path(
                        "<uuid:pk>/password-reset/",
                        self.password_reset_view.as_view(),
                        name="user-password-reset",
                    ),
                ]
            ),
            *super().get_urls(),
        ]
