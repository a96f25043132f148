import json

from django.http import HttpRequest, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from oscarapi.basket.operations import get_basket

from example_site.urls import urlpatterns as shop
from oscar_integration import attach_claim


@csrf_exempt
def invitation(request: HttpRequest) -> JsonResponse:
    """What a headless shop writes itself: one view that takes the token of the friend's link."""
    claim = attach_claim(get_basket(request), json.loads(request.body)["token"])
    return JsonResponse({"accepted": claim is not None})


urlpatterns = [path("api/invitation/", invitation), path("api/", include("oscarapi.urls")), *shop]
