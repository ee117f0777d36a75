from django.apps import AppConfig


class SlowQueriesConfig(AppConfig):
    name = "apps.slow_queries"
    label = "slow_queries"
    default_auto_field = "django.db.models.BigAutoField"
