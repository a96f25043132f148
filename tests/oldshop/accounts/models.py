import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _
from oscar.apps.customer.abstract_models import AbstractUser


class User(AbstractUser):
    """A customer or a colleague; they log in with their e-mail address."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    newsletter = models.BooleanField(_("Send me the newsletter"), default=False)
    needle_size = models.CharField(_("Favourite needle size"), max_length=20, blank=True)

    # Oscar's profile form shows every field that is not its own; the key is not for people.
    class Meta(AbstractUser.Meta):
        abstract = False
        db_table = "shop_user"
