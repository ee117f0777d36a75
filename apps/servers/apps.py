from django.apps import AppConfig


class ServersConfig(AppConfig):
    name = "apps.servers"
    label = "servers"
    default_auto_field = "django.db.models.BigAutoField"
