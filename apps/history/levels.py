"""The levels at which samples are kept: each coarser one for longer."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import models

from apps.history.models import Minute, Quarter, Raw, Sample, Shift

HOUR_S, DAY_S = 3600, 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """`step_s` is the window a row stands for, `keep_s` for how long it is kept at least; a partition spans `partition_s`."""

    model: type[Sample]
    step_s: int
    keep_s: int
    partition_s: int

    @property
    def name(self) -> str:
        return self.model.__name__.lower()

    @property
    def rows(self) -> models.QuerySet[Sample]:
        return self.model._default_manager.all()

    @property
    def is_raw(self) -> bool:
        return self.model is Raw


RAW = Level(model=Raw, step_s=max(1, int(settings.SAMPLE_EVERY_S)), keep_s=48 * HOUR_S, partition_s=DAY_S // 2)
MINUTE = Level(model=Minute, step_s=60, keep_s=14 * DAY_S, partition_s=DAY_S)
QUARTER = Level(model=Quarter, step_s=900, keep_s=400 * DAY_S, partition_s=20 * DAY_S)
SHIFT = Level(model=Shift, step_s=6 * HOUR_S, keep_s=400 * DAY_S, partition_s=100 * DAY_S)

LEVELS = (RAW, MINUTE, QUARTER, SHIFT)  # finest first; each is made of the one before
