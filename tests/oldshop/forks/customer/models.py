from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Project(models.Model):
    """What a customer is knitting; shown on the page "My projects" of the account."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(_("Name"), max_length=80)
    note = models.CharField(_("Note"), max_length=200, blank=True)
    date_created = models.DateTimeField(_("Started"), auto_now_add=True)

    class Meta:
        app_label = "customer"
        ordering = ["-date_created"]
        verbose_name = _("Project")
        verbose_name_plural = _("Projects")

    def __str__(self):
        return self.name


from oscar.apps.customer.models import *  # noqa: E402, F403
