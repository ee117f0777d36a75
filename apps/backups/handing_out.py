"""Opening one backup for download, of either kind of server: checked whole first, then given to who asked, once, for a while.

What gives it away is the page of backups, to the operator of the run alone and signed in as such: there is no link that others could
use, and no secret in an address.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import Operator
from apps.backups import folder
from apps.backups.chosen import chosen, facts, figures, of
from apps.backups.folder import Backup
from apps.backups.models import HandedOut
from apps.backups.sealed_file import BackupBroken
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Ending, Fact, Outcome, Plan, say
from apps.engine.target import Profile, Target
from apps.operations.catalogue import action_for
from apps.operations.models import Run
from apps.operations.models.runs import RunState
from apps.operations.stored import params_from_json

OPEN_FOR = timedelta(minutes=15)
MOST_OPEN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    backup: str = param("Backup", fixed=True, most_bytes=60)


class OpensBackup(Action[Params]):
    """The server is not asked: it may be gone, and that may be why."""

    title = "Open a backup for download"
    verb = "Download"
    icon = "download"
    unit = "B on disk"
    tier = Tier.T4
    permission = "backups.download"
    profile = Profile.MONITOR
    params = Params
    undo = NoUndo("It closes by itself; what was downloaded is out of the console's hands.")
    never = "The server, and the backup itself."
    queue = "dumps"
    deadline_s = 4 * 3600.0
    resumable = True

    @property
    def is_grave(self) -> bool:
        return False

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one backup. Cost: a small file and a stat a part. Errors: Refused, Gone."""
        backup = chosen(target, params.backup)
        minutes = int(OPEN_FOR.total_seconds() // 60)
        return Plan(
            effect="Open 1 backup for download",
            of=of(target, backup),
            keep="Keep it closed",
            figures=figures(backup, grave=False),
            facts=(
                *facts(backup),
                Fact(label="Checked", words=say("read whole, authenticated and unpacked before it is opened")),
                Fact(
                    label="For whom", words=say(f"you alone, each file once, for {minutes} min, on the page of backups")
                ),
                Fact(
                    label="As what", words=say("decrypted: whoever has the file has all that is in it"), signal="warn"
                ),
            ),
            commands=("# nothing is sent to the server; on the console's disk", f"read {target.id}/{backup.name}"),
            blocked=say(backup.problem) if backup.problem else (),
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        """Cost: about 2 ms a MB. Errors: Cancelled, Fenced, Gone."""
        backup = chosen(target, params.backup)
        try:
            folder.check(backup, told=lambda done, total: progress.step(done, total_count=total, note="checking it"))
        except BackupBroken as error:
            return Outcome(ending=Ending.FAILED, said=say(f"{error.message} {error.way_out}".strip()))
        return Outcome(
            ending=Ending.DONE,
            said=say(f"It is whole, and open to you for {int(OPEN_FOR.total_seconds() // 60)} min under Backups."),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A backup that is open to one operator. `parts` are the names of the files that they did not take yet."""

    number: int
    backup: Backup
    parts: tuple[str, ...]
    until: datetime


def opened_for(operator: Operator, server: str) -> list[Opened]:
    """What an operator may download now. Cost: two queries, and a small file each. Errors: none."""
    since = timezone.now() - OPEN_FOR
    runs = Run.objects.filter(
        operator=operator,
        server_key=server,
        action__startswith="backups.download_",
        state=RunState.DONE,
        finished_at__gt=since,
    )
    found = [_opened(run) for run in runs.select_related("plan").order_by("-pk")[:MOST_OPEN]]
    return [each for each in found if each is not None and each.parts]


def _opened(run: Run) -> Opened | None:
    params = params_from_json(action_for(run.action), run.plan.params, sealed_to=run.plan.sealed_to)
    backup = folder.look(run.server_key, params.backup) if folder.NAME.fullmatch(params.backup) else None
    if backup is None or backup.manifest is None or backup.problem or run.finished_at is None:
        return None
    taken = set(HandedOut.objects.filter(number=run.pk).values_list("part", flat=True))
    parts = tuple(part.name for part in backup.manifest.parts if part.name not in taken)
    return Opened(number=run.pk, backup=backup, parts=parts, until=run.finished_at + OPEN_FOR)


def claim(opened: Opened, part: str) -> bool:
    """Take one file, once. False when it was taken in the same moment."""
    try:
        with transaction.atomic():
            HandedOut.objects.create(number=opened.number, part=part)
    except IntegrityError:
        return False
    return True
