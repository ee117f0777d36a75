from django.apps import AppConfig


class KeyspaceConfig(AppConfig):
    name = "apps.keyspace"
    label = "keyspace"
    default_auto_field = "django.db.models.BigAutoField"
