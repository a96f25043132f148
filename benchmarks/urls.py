import uuid

from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils import timezone

from example_site.urls import urlpatterns as example_patterns


def floor(request: HttpRequest) -> HttpResponse:
    """One row written by the ORM, and a redirect."""
    Session.objects.create(session_key=uuid.uuid4().hex, session_data="floor", expire_date=timezone.now())
    return HttpResponseRedirect("/en/catalogue/")


urlpatterns = [path("floor/", floor), *example_patterns]
