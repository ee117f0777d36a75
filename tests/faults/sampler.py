"""A sampler that makes one pass: `python -m tests.faults.sampler`. A test kills it in the middle."""

from __future__ import annotations

import os


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.faults.settings"
    import django

    django.setup()
    from apps.history.sampler import sample_due

    sample_due()


if __name__ == "__main__":
    main()
