def storefront(request):
    """The name of the shop that the visitor came to, in place of Oscar's one name for all."""
    front = getattr(request, "storefront", None)
    if front is None:
        return {}
    return {"storefront": front, "shop_name": front.brand, "shop_tagline": front.tagline}
