from django.urls import path

from apps.overview import views

urlpatterns = [
    path("", views.overview, name="overview"),
]
