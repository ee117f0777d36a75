from django.urls import path

from apps.slow_queries import views

app_name = "slow_queries"
urlpatterns = [
    path("servers/<slug:key>/slow/", views.slow, name="list"),
    path("servers/<slug:key>/slow/<slug:queryid>/", views.one, name="statement"),
]
