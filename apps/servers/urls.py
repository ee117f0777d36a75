from django.urls import path

from apps.servers import views

app_name = "servers"
urlpatterns = [
    path("<slug:key>/", views.detail, name="detail"),
]
