"""Settings of the tests: keys of their own, loopback and sockets allowed, nothing of the developer's environment."""

import base64
import os
import tempfile
from pathlib import Path

os.environ.setdefault("SIGNALBOX_DATA", tempfile.mkdtemp(prefix="signalbox-test-"))
(Path(os.environ["SIGNALBOX_DATA"]) / "static").mkdir(parents=True, exist_ok=True)
os.environ["SECRET_KEY"] = "tests only " * 6
os.environ["SECRETBOX_KEYS"] = "k1:" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
os.environ["ALLOW_LOOPBACK_TARGETS"] = os.environ["ALLOW_SOCKET_TARGETS"] = "1"
os.environ["DEMO"] = "0"

from console.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
