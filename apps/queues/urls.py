from django.urls import path

from apps.queues import views

app_name = "queues"
urlpatterns = [
    path("queues/", views.fleet, name="list"),
    path("servers/<slug:key>/queues/", views.server, name="server"),
    path("servers/<slug:key>/queues/<slug:adapter>/<str:ref>/", views.queue, name="queue"),
]
