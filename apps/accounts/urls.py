from django.urls import path

from apps.accounts import views

app_name = "accounts"
urlpatterns = [
    path("", views.operators, name="list"),
    path("invite/", views.invite, name="invite"),
    path("reasons/", views.give_reason, name="reasons"),
    path("me/", views.own_account, name="own"),
    path("me/email/", views.own_email, name="own_email"),
    path("me/sessions/end/", views.end_other_sessions, name="end_other_sessions"),
    path("me/sessions/<int:session_id>/end/", views.end_own_session, name="end_own_session"),
    path("people/<str:username>/", views.person, name="person"),
    path("people/<str:username>/lock/", views.lock, name="lock"),
    path("people/<str:username>/unlock/", views.unlock, name="unlock"),
    path("people/<str:username>/grant/", views.grant, name="grant"),
    path("people/<str:username>/revoke/<int:assignment_id>/", views.revoke, name="revoke"),
    path("people/<str:username>/code/", views.new_code, name="code"),
    path("people/<str:username>/second-factor/reset/", views.reset_second_factor, name="reset_second_factor"),
    path("people/<str:username>/sessions/end/", views.end_sessions, name="end_sessions"),
    path("people/<str:username>/sessions/<int:session_id>/end/", views.end_session, name="end_session"),
]
