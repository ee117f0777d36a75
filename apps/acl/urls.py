from django.urls import path

from apps.acl import views

app_name = "acl"
urlpatterns = [
    path("servers/<slug:key>/acl/", views.users, name="list"),
]
