from django.urls import path

from apps.shell import views

app_name = "shell"
urlpatterns = [
    path("go/", views.go_to, name="go"),
    path("frame/", views.frame, name="frame"),
]
