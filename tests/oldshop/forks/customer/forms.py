from django import forms
from oscar.apps.customer.forms import *  # noqa: F403

from forks.customer.models import Project


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ["name", "note"]
