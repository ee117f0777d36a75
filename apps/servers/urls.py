from django.urls import path

from apps.servers import views

app_name = "servers"
urlpatterns = [
    path("", views.registry, name="list"),
    path("new/", views.register, name="register"),
    path("<slug:key>/connection/", views.detail, name="detail"),
    path("<slug:key>/edit/", views.edit, name="edit"),
    path("<slug:key>/remove/", views.remove, name="remove"),
    path("<slug:key>/capabilities/", views.capabilities, name="capabilities"),
    path("<slug:key>/probe/", views.probe_again, name="probe"),
]
