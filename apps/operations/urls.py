from django.urls import path

from apps.operations.views import approvals, archive, audit, deliveries, freezes, plans, runs, toasts

app_name = "operations"
urlpatterns = [
    path("servers/<slug:key>/do/<str:action>/", plans.start, name="start"),
    path("plans/<uuid:uid>/", plans.plan, name="plan"),
    path("plans/<uuid:uid>/run/", plans.run, name="submit"),
    path("plans/<uuid:uid>/ask/", plans.ask, name="ask"),
    path("plans/<uuid:uid>/fresh/", plans.fresh, name="fresh"),
    path("plans/<uuid:uid>/drop/", plans.drop, name="drop"),
    path("runs/", runs.runs, name="runs"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/stop/", runs.stop, name="stop"),
    path("runs/<int:pk>/kept/", archive.contents, name="kept"),
    path("runs/<int:pk>/kept/drop/", archive.drop, name="drop-archive"),
    path("archive/", archive.archive, name="archive"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("approvals/<int:pk>/", approvals.approval, name="approval"),
    path("approvals/<int:pk>/answer/", approvals.answer, name="answer"),
    path("audit/", audit.audit, name="audit"),
    path("audit/verify/", audit.verify, name="verify"),
    path("audit/export/", audit.export, name="export"),
    path("freezes/", freezes.freezes, name="freezes"),
    path("freezes/<int:pk>/lift/", freezes.lift, name="lift"),
    path("deliveries/", deliveries.deliveries, name="deliveries"),
    path("deliveries/again/", deliveries.again, name="deliver-again"),
    path("toasts/", toasts.toasts, name="toasts"),
    path("toasts/<int:pk>/", toasts.seen, name="toast"),
]
