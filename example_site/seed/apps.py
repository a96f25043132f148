from django.apps import AppConfig


class SeedConfig(AppConfig):
    name = "example_site.seed"
    label = "example_seed"
    verbose_name = "Example content"
