"""The people of the demonstration, who all have the same password."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.utils import timezone
from oscar.core.loading import get_model
from wagtail.models import Collection, GroupCollectionPermission, GroupPagePermission, Page

Country = get_model("address", "Country")
UserAddress = get_model("address", "UserAddress")
User = get_user_model()

PASSWORD = "souffle"
EDITORS = "Studio editors"
MANAGERS = "Shop managers"
# Groups that come with the package, by the person who has that role here.
ROLES = {
    "reviewer@example.com": "Referral reviewers",
    "finance@example.com": "Referral finance",
    "reports@example.com": "Referral reports",
}
# The parts of Oscar that its dashboard guards by permissions of these apps; customers are users.
SHOP_APPS = (
    "address",
    "analytics",
    "basket",
    "catalogue",
    "communication",
    "customer",
    "flatpages",
    "offer",
    "order",
    "partner",
    "payment",
    "shipping",
    "voucher",
)


@dataclass(frozen=True)
class Person:
    email: str
    first_name: str
    last_name: str
    part: str
    street: str = ""
    postcode: str = ""
    town: str = ""


STAFF = [
    Person("admin@example.com", "Alix", "Souffle", "administrator (Wagtail, Django and shop)"),
    Person("editor@example.com", "Maëlle", "Kerouanton", "editor (Wagtail)"),
    Person(
        "reviewer@example.com", "Théo", "Masson", "looks after referrals that are to be checked (Wagtail)"
    ),
    Person("finance@example.com", "Nadia", "Roussel", "keeps the books of referral credit (Wagtail)"),
    Person("reports@example.com", "Judith", "Caron", "reads the figures of the referrals (Wagtail)"),
    Person("manager@example.com", "Idris", "Lambert", "shop manager (Oscar's dashboard, e-mails)"),
]
ADVOCATES = [
    Person(
        "camille@example.com",
        "Camille",
        "Durand",
        "customer who refers friends",
        "8 rue Crébillon",
        "44000",
        "Nantes",
    ),
    Person(
        "noe@example.com",
        "Noé",
        "Martin",
        "customer who refers friends",
        "21 quai de la Fosse",
        "44000",
        "Nantes",
    ),
    Person(
        "ines@example.com",
        "Inès",
        "Moreau",
        "customer who refers friends",
        "5 rue des Carmélites",
        "44000",
        "Nantes",
    ),
]
FRIENDS = [
    Person("lea@example.com", "Léa", "Petit", "friend", "14 rue Paul-Bert", "35000", "Rennes"),
    Person("hugo@example.com", "Hugo", "Bernard", "friend", "3 place Graslin", "44000", "Nantes"),
    Person("jade@example.com", "Jade", "Roux", "friend", "40 rue de Strasbourg", "44000", "Nantes"),
    Person("adam@example.com", "Adam", "Fontaine", "friend", "9 avenue Jean-Jaurès", "44400", "Rezé"),
]
# Customers whom programs of their own are for.
CIRCLES = [
    Person(
        "gaelle@example.com",
        "Gaëlle",
        "Riou",
        "regular who has referred two friends: a third one, and she gets a mat",
        "17 rue Joffre",
        "44000",
        "Nantes",
    ),
    Person(
        "mathis@example.com",
        "Mathis",
        "Leblanc",
        "regular who has referred three friends, and has his mat",
        "2 place Viarme",
        "44000",
        "Nantes",
    ),
    Person(
        "rozenn@example.com",
        "Rozenn",
        "Kervella",
        "regular who has referred five friends: a badge, and a mat that she has not used yet",
        "33 quai Magellan",
        "44000",
        "Nantes",
    ),
    Person(
        "maud@example.com",
        "Maud",
        "Tanguy",
        "member who gets a share of her friend's orders, as credit that expires",
        "11 rue des Olivettes",
        "44000",
        "Nantes",
    ),
    Person(
        "erwan@example.com",
        "Erwan",
        "Salaün",
        "member whose share was taken back after he had spent it, and recovered",
        "6 rue du Calvaire",
        "44000",
        "Nantes",
    ),
]
# Members who renew, or should.
MEMBERS = [
    Person(
        "salome@example.com",
        "Salomé",
        "Le Bihan",
        "member who refers friends: credit pays a part of her renewal, which is due half an hour after the start",
        "4 rue Kléber",
        "44000",
        "Nantes",
    ),
    Person(
        "tangi@example.com",
        "Tangi",
        "Corre",
        "practices at home; a friend who became a member has paid one of his months",
        "27 rue de Rieux",
        "44000",
        "Nantes",
    ),
    Person(
        "paol@example.com",
        "Paol",
        "Jaouen",
        "member whose card was declined: a payment is due, and he may still come",
        "15 rue Voltaire",
        "44000",
        "Nantes",
    ),
    Person(
        "nina@example.com",
        "Nina",
        "Besnard",
        "was a member until a renewal was not paid",
        "30 rue de Coulmiers",
        "44000",
        "Nantes",
    ),
]


def seed_people() -> list[Person]:
    """Create everybody who is not there yet, with address book and permissions; return them all."""
    editors, managers = _editors(), _managers()
    for person in [*STAFF, *ADVOCATES, *FRIENDS, *CIRCLES, *MEMBERS]:
        # The user name is the e-mail address too, because Wagtail's sign-in page asks for the user name.
        user, created = User.objects.get_or_create(
            username=person.email,
            defaults={
                "email": person.email,
                "first_name": person.first_name,
                "last_name": person.last_name,
                # Before the history begins.
                "date_joined": timezone.now() - timedelta(days=120),
            },
        )
        if created:
            user.set_password(PASSWORD)
        if person.email.startswith("admin@"):
            user.is_superuser = user.is_staff = True
        elif person.email.startswith("manager@"):
            user.is_staff = True
            user.groups.add(managers)
        elif person.email.startswith("editor@"):
            user.groups.add(editors)
        elif person.email in ROLES:
            user.groups.add(Group.objects.get(name=ROLES[person.email]))
        user.save()
        if person.street:
            _address(user, person)
    return [*STAFF, *ADVOCATES, *FRIENDS, *CIRCLES, *MEMBERS]


def _address(user: Any, person: Person) -> None:
    if not UserAddress.objects.filter(user=user).exists():
        UserAddress.objects.create(
            user=user,
            first_name=person.first_name,
            last_name=person.last_name,
            line1=person.street,
            line4=person.town,
            postcode=person.postcode,
            country=Country.objects.get(iso_3166_1_a2="FR"),
            is_default_for_shipping=True,
            is_default_for_billing=True,
        )


def _editors() -> Group:
    """Editors write and publish pages, pictures and referral programs; they are no superusers and run no shop."""
    group, _created = Group.objects.get_or_create(name=EDITORS)
    group.permissions.add(
        Permission.objects.get(content_type__app_label="wagtailadmin", codename="access_admin")
    )
    root = Page.get_first_root_node()
    for codename in ("add_page", "change_page", "publish_page", "lock_page", "unlock_page"):
        GroupPagePermission.objects.get_or_create(
            group=group,
            page=root,
            permission=Permission.objects.get(content_type__app_label="wagtailcore", codename=codename),
        )
    for app_label, model in (("wagtailimages", "image"), ("wagtaildocs", "document")):
        for action in ("add", "change", "choose"):
            GroupCollectionPermission.objects.get_or_create(
                group=group,
                collection=Collection.get_first_root_node(),
                permission=Permission.objects.get(
                    content_type__app_label=app_label, codename=f"{action}_{model}"
                ),
            )
    labels = [config.label for config in apps.get_app_configs() if config.name in settings.REFERRAL_APPS]
    group.permissions.add(*Permission.objects.filter(content_type__app_label__in=[*labels, "example_giving"]))
    return group


def _managers() -> Group:
    """Managers run the whole shop in Oscar's dashboard and do not edit the site."""
    group, _created = Group.objects.get_or_create(name=MANAGERS)
    group.permissions.add(
        *Permission.objects.filter(content_type__app_label__in=SHOP_APPS).exclude(
            codename="dashboard_access"
        ),
        *Permission.objects.filter(content_type__app_label="auth", codename__in=("view_user", "change_user")),
    )
    return group
