"""Settings of a worker that a test kills: the test's own database, keys and folders."""

import os
from pathlib import Path

from tests.settings import *  # noqa: F403

DATABASES["default"] |= {"NAME": os.environ["FAULTS_DATABASE"]}  # noqa: F405
ARCHIVE_FOLDER = Path(os.environ["FAULTS_ARCHIVES"])
BACKUP_FOLDER = Path(os.environ["FAULTS_BACKUPS"])
LOGGING |= {"level": "ERROR"}  # noqa: F405
