from django.apps import AppConfig


class AclConfig(AppConfig):
    name = "apps.acl"
    label = "acl"
    default_auto_field = "django.db.models.BigAutoField"
