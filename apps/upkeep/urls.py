from django.urls import path

from apps.upkeep import views

app_name = "upkeep"
urlpatterns = [
    path("servers/<slug:key>/upkeep/", views.upkeep, name="detail"),
]
