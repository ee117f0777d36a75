from django.urls import path

from apps.monitoring import server_views, views

app_name = "monitoring"
urlpatterns = [
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("servers/<slug:key>/", server_views.server, name="server"),
    path("servers/<slug:key>/chart.json", server_views.chart, name="chart"),
]
