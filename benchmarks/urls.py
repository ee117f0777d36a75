from django.urls import path

from benchmarks.bare import show
from console.urls import urlpatterns as console_patterns

urlpatterns = [path("bare/", show), *console_patterns]
