from django.urls import path

from apps.keyspace import views

app_name = "keyspace"
urlpatterns = [
    path("servers/<slug:key>/keyspace/", views.keys, name="list"),
    path("servers/<slug:key>/keyspace/<str:ref>/", views.opened, name="key"),
]
