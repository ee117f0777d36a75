"""Every capability mounts its own routes. The Django admin and django_rq's pages are never mounted."""

from django.urls import include, path

handler500 = "console.failures.failed"

urlpatterns = [
    path("accounts/", include("apps.accounts.urls_account")),
    path("operators/", include("apps.accounts.urls")),
    path("servers/", include("apps.servers.urls")),
    path("", include("apps.operations.urls")),
    path("", include("apps.keyspace.urls")),
    path("", include("apps.queues.urls")),
    path("", include("apps.acl.urls")),
    path("", include("apps.slow_queries.urls")),
    path("", include("apps.activity.urls")),
    path("", include("apps.upkeep.urls")),
    path("", include("apps.backups.urls")),
    path("", include("apps.monitoring.urls")),
    path("", include("apps.shell.urls")),
    path("", include("apps.overview.urls")),
]
