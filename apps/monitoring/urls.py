from django.urls import path

from apps.monitoring import marks, server_views, timeline_views, tokens, views

app_name = "monitoring"
urlpatterns = [
    path("livez", views.livez, name="livez"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("marks/deploy", marks.mark, name="mark"),
    path("marks/tokens/", tokens.tokens, name="tokens"),
    path("marks/tokens/<int:pk>/revoke/", tokens.revoke, name="revoke-token"),
    path("timeline/", timeline_views.timeline, name="timeline"),
    path("servers/<slug:key>/", server_views.server, name="server"),
    path("servers/<slug:key>/chart.json", server_views.chart, name="chart"),
]
