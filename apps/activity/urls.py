from django.urls import path

from apps.activity import views

app_name = "activity"
urlpatterns = [
    path("servers/<slug:key>/activity/", views.activity, name="list"),
]
