from oscar.apps.shipping import repository

from forks.shipping import methods


class Repository(repository.Repository):
    methods = [methods.Post(), methods.Express(), methods.PickUp()]
