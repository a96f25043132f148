from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.views import generic
from oscar.apps.customer.views import *  # noqa: F403
from oscar.core.loading import get_class

from forks.customer.forms import ProjectForm

PageTitleMixin = get_class("customer.mixins", "PageTitleMixin")


class ProjectsView(PageTitleMixin, generic.CreateView):
    """The customer's knitting projects, and a form for a new one."""

    template_name = "oscar/customer/projects.html"
    form_class = ProjectForm
    page_title = _("My projects")
    active_tab = "projects"
    success_url = reverse_lazy("customer:projects")

    def get_context_data(self, **kwargs):
        return super().get_context_data(projects=self.request.user.projects.all(), **kwargs)

    def form_valid(self, form):
        form.instance.user = self.request.user
        return super().form_valid(form)
