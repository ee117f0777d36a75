"""Settings of the console. What an operator of the console may set is in the environment and documented in docs/configuration.md."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

from apps.engine.connections.addresses import AddressPolicy
from apps.engine.connections.broker import broker_url
from console import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA = Path(env.text("SIGNALBOX_DATA") or BASE_DIR / "data").resolve()
KEYS = DATA / "keys"
DEBUG = False

# The one command that runs before there are keys.
MAKING_KEYS = "make_keys" in sys.argv[1:2]
SECRET_KEY = (
    "not used to sign anything: make_keys runs before there are keys"
    if MAKING_KEYS
    else env.key(KEYS, "secret_key", "SECRET_KEY")
)
# Newest first: the first key encrypts, every key decrypts. `kid:base64` words.
SECRETBOX_KEYS = "" if MAKING_KEYS else env.key(KEYS, "secretbox", "SECRETBOX_KEYS")
# Base64 words, newest first: what the audit is chained with, what archives of originals are sealed with, and what backups are.
AUDIT_KEYS = "" if MAKING_KEYS else env.key(KEYS, "audit", "AUDIT_KEYS")
ARCHIVE_KEYS = "" if MAKING_KEYS else env.key(KEYS, "archive", "ARCHIVE_KEYS")
BACKUP_KEYS = "" if MAKING_KEYS else env.key(KEYS, "backup", "BACKUP_KEYS")

PUBLIC_URL = env.text("PUBLIC_URL", f"http://localhost:{env.number('PORT', 8000)}")
HTTPS = PUBLIC_URL.startswith("https://")
# Loopback is always answered: health checks ask there.
ALLOWED_HOSTS = [str(urlsplit(PUBLIC_URL).hostname), "localhost", "127.0.0.1", "[::1]", *env.words("ALLOWED_HOSTS")]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "template_partials",
    "django_celery_beat",
    "django_rq",
    "apps.accounts",
    "apps.servers",
    "apps.history",
    "apps.shell",
    "apps.operations",
    "apps.keyspace",
    "apps.queues",
    "apps.acl",
    "apps.slow_queries",
    "apps.activity",
    "apps.upkeep",
    "apps.backups",
    "apps.monitoring",
    "apps.overview",
    "apps.demo",
]

MIDDLEWARE = [
    "console.middleware.RequestIdMiddleware",
    "apps.monitoring.middleware.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.middleware.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.accounts.middleware.NetworkMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.accounts.middleware.PresenceMiddleware",
    "apps.accounts.middleware.GuardMiddleware",
]

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.shell.context.frame",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "apps.shell.templatetags.shell",
                "apps.shell.templatetags.kept",
                "apps.shell.templatetags.table_rows",
            ],
        },
    },
]

# The console's own data -------------------------------------------------------------------------------------------


def _database(url: str) -> dict[str, object]:
    """DATABASE_URL=postgres://user:password@host:5432/name, or nothing for SQLite in the data folder."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATA / "console.sqlite3",
            "OPTIONS": {
                "timeout": 12,  # s; a browser waits 15
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": parts.port or "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": "signalbox-console"},
    }


DATABASES = {"default": _database(env.text("DATABASE_URL"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Login limits and TOTP replay protection live in the cache: in the database, so that they work when the broker is down.
CACHES = {"default": {"BACKEND": "apps.accounts.cache.StoredCache"}}

# Operators --------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.Operator"
AUTHENTICATION_BACKENDS = ["apps.accounts.backends.OperatorBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "apps.accounts.adapters.AccountAdapter"
MFA_ADAPTER = "apps.accounts.adapters.MFAAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PRESERVE_USERNAME_CASING = False
ACCOUNT_SESSION_REMEMBER = True  # no "remember me": SESSION_COOKIE_AGE is the same for everybody
# Tries with a password are counted by apps.accounts.limits; login_failed is left for one-time codes, where the password was right.
ACCOUNT_RATE_LIMITS = {
    "login": False,
    "login_failed": "5/5m/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Signalbox"
MFA_RECOVERY_CODE_COUNT = 10
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TRUST_ENABLED = False
USERSESSIONS_TRACK_ACTIVITY = False  # apps.accounts.middleware notes it, once a minute
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
SESSION_COOKIE_AGE = env.number("SESSION_HOURS", 10) * 3600
SESSION_IDLE_S = env.number("SESSION_IDLE_MINUTES", 60) * 60
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "signalbox-session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "signalbox-csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS

# Environments: name -> which column of the role table applies, and whether a second factor is required there.
ENVIRONMENTS = {
    "dev": {"policy": "dev", "second_factor": False},
    "staging": {"policy": "staging", "second_factor": False},
    "prod": {"policy": "prod", "second_factor": True},
}
for _extra in env.words("EXTRA_ENVIRONMENTS"):
    _name, _, _policy = _extra.partition(":")
    ENVIRONMENTS[_name] = {"policy": _policy or "prod", "second_factor": (_policy or "prod") == "prod"}
REQUIRE_SECOND_FACTOR = env.flag("REQUIRE_SECOND_FACTOR", default=True)
ALLOWED_OPERATOR_NETWORKS = env.networks("ALLOWED_OPERATOR_NETWORKS")

# Servers ----------------------------------------------------------------------------------------------------------

TARGET_POLICY = AddressPolicy(
    networks=env.networks("ALLOWED_TARGET_NETWORKS"),
    ports=env.ports("ALLOWED_TARGET_PORTS"),
    loopback=env.flag("ALLOW_LOOPBACK_TARGETS"),
    sockets=env.flag("ALLOW_SOCKET_TARGETS"),
)
SERVERS_FILE = Path(env.text("SERVERS_FILE") or BASE_DIR / "servers.toml")
SAMPLE_EVERY_S = env.number("SAMPLE_EVERY_S", 10)

# Changes ----------------------------------------------------------------------------------------------------------

# Originals of what runs changed: how long, and how much a server.
ARCHIVE_FOLDER = Path(env.text("ARCHIVE_FOLDER") or DATA / "archives")
ARCHIVE_HOURS = env.number("ARCHIVE_HOURS", 24)
ARCHIVE_CAP_BYTES = env.number("ARCHIVE_CAP_MB", 2000) * 1_000_000
# Backups: never deleted by themselves.
BACKUP_FOLDER = Path(env.text("BACKUP_FOLDER") or DATA / "backups")
# Where the end of the audit's chain is written down besides: name a place that whoever has the database cannot write to.
AUDIT_ANCHOR_FILES = [Path(path) for path in env.words("AUDIT_ANCHOR_FILES")] or [DATA / "audit" / "anchors.jsonl"]

# Heavy work -------------------------------------------------------------------------------------------------------

BROKER_URL = env.text("BROKER_URL") or (
    env.key(KEYS, "broker_url", "BROKER_URL") if (KEYS / "broker_url").exists() else "redis://127.0.0.1:6390/0"
)
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "runs"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# A broker that is down must not hold a click up: one more try at once, then the run waits in the console's database.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "visibility_timeout": 6 * 3600,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "sample servers": {
        "task": "apps.history.tasks.sample",
        "schedule": SAMPLE_EVERY_S,
        "options": {"queue": "sampling", "expires": SAMPLE_EVERY_S},
    },
    "gather samples": {
        "task": "apps.history.tasks.gather",
        "schedule": 60,
        "options": {"queue": "sampling", "expires": 60},
    },
    "foretell limits": {
        "task": "apps.history.tasks.foretell",
        "schedule": 900,
        "options": {"queue": "sampling", "expires": 900},
    },
    "forget old samples": {
        "task": "apps.history.tasks.forget",
        "schedule": 3600,
        "options": {"queue": "sampling", "expires": 3600},
    },
    "keep runs going": {
        "task": "apps.operations.tasks.keep_going",
        "schedule": 5,
        "options": {"queue": "sampling", "expires": 10},
    },
    "clean up": {"task": "apps.operations.tasks.clean_up", "schedule": 600, "options": {"queue": "sampling"}},
    "clean unfinished backups": {
        "task": "apps.backups.tasks.clean",
        "schedule": 600,
        "options": {"queue": "dumps", "expires": 600},
    },
    "check the audit": {
        "task": "apps.operations.tasks.check_audit",
        "schedule": 24 * 3600,
        "options": {"queue": "sampling"},
    },
    "probe rights": {"task": "apps.servers.tasks.probe_all", "schedule": 24 * 3600, "options": {"queue": "sampling"}},
}
# Carries notifications only; never mounted, never pointed at a managed server.
RQ_QUEUES = {"notifications": {"URL": broker_url(BROKER_URL), "SERIALIZER": "rq.serializers.JSONSerializer"}}
RQ_SHOW_ADMIN_LINK = False

# Telling people ---------------------------------------------------------------------------------------------------

# Events go to every webhook, signed with the secret, and to the addresses of the people they concern.
NOTIFY_WEBHOOKS = env.secret("NOTIFY_WEBHOOKS").replace(",", " ").split()
NOTIFY_WEBHOOK_SECRET = env.secret("NOTIFY_WEBHOOK_SECRET")
NOTIFY_TIMEOUT_S = env.number("NOTIFY_TIMEOUT_S", 10)
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS")
EMAIL_PORT = env.number("EMAIL_PORT", 465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.secret("EMAIL_HOST_PASSWORD")
EMAIL_TIMEOUT = NOTIFY_TIMEOUT_S
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM") or f"signalbox@{urlsplit(PUBLIC_URL).hostname}"

# Pages ------------------------------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA / "static" if not env.text("STATIC_ROOT") else Path(env.text("STATIC_ROOT"))
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.append("django.forms")

SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
TRUSTED_PROXY_COUNT = ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)
if TRUSTED_PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
MESSAGE_TAGS = {10: "plain", 20: "info", 25: "plain", 30: "warn", 40: "crit"}
METRICS_TOKEN = env.text("METRICS_TOKEN")
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
SILENCED_SYSTEM_CHECKS = [] if HTTPS else ["security.W004", "security.W008", "security.W012", "security.W016"]

LOG_LEVEL = env.text("LOG_LEVEL", "INFO")
LOGGING_CONFIG = "console.logs.configure"
LOGGING: dict[str, object] = {"level": LOG_LEVEL, "json": env.flag("LOG_JSON")}
