"""A sampler that is killed in the middle of a pass loses that look, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta

from django.utils import timezone

from apps.history.models import LastKnown, Raw
from apps.history.sampler import sample_due
from tests.faults.conftest import PROJECT, OwnRedis, Worker, until
from tests.history.conftest import register, register_redis
from tests.network import HangingServer


def test_a_sampler_that_is_killed_loses_one_look(
    worker: Worker, own_redis: OwnRedis, hanging_server: HangingServer
) -> None:
    well = register_redis(own_redis())
    register("hangs", "redis", "127.0.0.1", hanging_server.port, read_timeout_s=30, connect_timeout_s=30)
    sample_due(deadline_s=1)
    assert Raw.objects.exists()
    before = set(Raw.objects.values_list("at_s", flat=True))
    LastKnown.objects.update(tried_at=timezone.now() - timedelta(seconds=10))
    time.sleep(1.1)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sampler"], cwd=PROJECT, env={**os.environ, **worker.environment}
    )
    try:
        begun_at = timezone.now()
        until(lambda: LastKnown.objects.filter(server=well, figures_at__gt=begun_at).exists())
    finally:
        process.kill()
        process.wait()
    assert set(Raw.objects.values_list("at_s", flat=True)) == before, "killed before it had written its samples"
    assert sample_due().asked_count == 0, "the pass that was killed has claimed both"
    LastKnown.objects.update(tried_at=timezone.now() - timedelta(seconds=10))
    done = sample_due(deadline_s=1)
    assert done.asked_count == 2
    assert len(set(Raw.objects.values_list("at_s", flat=True)) - before) == 1
    assert "ops_per_s" in LastKnown.objects.get(server=well).figures
