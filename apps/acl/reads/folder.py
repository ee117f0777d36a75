"""Where this capability keeps its SQL."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "sql"
