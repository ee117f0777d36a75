from django.urls import path

from benchmarks.bare import show, show_alone, show_asked
from console.urls import urlpatterns as console_patterns

urlpatterns = [
    path("bare/", show),
    path("bare/asked/", show_asked),
    path("bare/alone/", show_alone),
    *console_patterns,
]
