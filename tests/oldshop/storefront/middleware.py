from storefront.models import Storefront


class StorefrontMiddleware:
    """Set request.storefront by the host; an unknown one, like a developer's machine, gets the first."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        storefronts = {
            front.site.domain: front for front in Storefront.objects.select_related("site").order_by("pk")
        }
        host = request.get_host().partition(":")[0]
        request.storefront = storefronts.get(host) or next(iter(storefronts.values()), None)
        return self.get_response(request)
