"""Private servers that the console starts by itself: for its broker, its demo and its tests. No Django, no Celery."""
