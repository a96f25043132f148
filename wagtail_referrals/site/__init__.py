"""What shoppers see: the share link, the landing page, "Refer a friend", the hub. Models are in ``site.models``."""
