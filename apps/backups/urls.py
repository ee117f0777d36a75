from django.urls import path

from apps.backups import views

app_name = "backups"
urlpatterns = [
    path("backups/", views.fleet, name="list"),
    path("servers/<slug:key>/backups/", views.server, name="server"),
    path("servers/<slug:key>/backups/<int:number>/<str:part>/", views.download, name="download"),
]
