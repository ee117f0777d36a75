"""Settings of the tests: keys of their own, loopback and sockets allowed, nothing of the developer's environment."""

import atexit
import base64
import os
import shutil
import tempfile
from pathlib import Path

if "SIGNALBOX_DATA" not in os.environ:
    os.environ["SIGNALBOX_DATA"] = tempfile.mkdtemp(prefix="signalbox-test-")
    atexit.register(shutil.rmtree, os.environ["SIGNALBOX_DATA"], ignore_errors=True)
(Path(os.environ["SIGNALBOX_DATA"]) / "static").mkdir(parents=True, exist_ok=True)
os.environ["SECRET_KEY"] = "tests only " * 6
os.environ["SECRETBOX_KEYS"] = "k1:" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
os.environ["AUDIT_KEYS"] = base64.b64encode(b"audit audit audit audit audit 32").decode()
os.environ["ARCHIVE_KEYS"] = base64.b64encode(b"archive archive archive archi 32").decode()
os.environ["BACKUP_KEYS"] = base64.b64encode(b"backups backups backups backu 32").decode()
os.environ["ALLOW_LOOPBACK_TARGETS"] = os.environ["ALLOW_SOCKET_TARGETS"] = "1"
os.environ["BROKER_URL"] = f"redis+socket://{os.environ['SIGNALBOX_DATA']}/nobody-listens.sock"
os.environ["DEMO"] = "0"

from console.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
if "DATABASE_URL" not in os.environ:
    # A file, as in production: a database in memory knows neither WAL nor waiting for another thread's lock.
    DATABASES["default"]["TEST"] = {"NAME": Path(os.environ["SIGNALBOX_DATA"]) / "tests.sqlite3"}  # noqa: F405
    # Tests kill processes, not machines: what the system took is there.
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"  # type: ignore[index]  # noqa: F405
