"""Deleting one backup, of either kind of server: out of the list as a whole, then off the disk."""

from __future__ import annotations

from dataclasses import dataclass

from apps.backups import folder
from apps.backups.chosen import chosen, facts, figures, of
from apps.backups.folder import Backup
from apps.engine.contracts.action import Action, NoUndo, Planning, Progress, Tier
from apps.engine.contracts.params import param
from apps.engine.contracts.plan import Ending, Fact, Outcome, Plan, Sentence, say
from apps.engine.target import Profile, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    backup: str = param("Backup", fixed=True, most_bytes=60)


class DeletesBackup(Action[Params]):
    """The server is not asked: it may be gone, and that may be why."""

    title = "Delete a backup"
    verb = "Delete"
    icon = "trash"
    tier = Tier.T4
    permission = "backups.delete"
    profile = Profile.MONITOR
    params = Params
    undo = NoUndo("A deleted backup is gone.")
    never = "The server, and its other backups."
    deadline_s = 600.0

    def plan(self, target: Target, params: Params, *, planning: Planning) -> Plan:
        """Shape: one backup. Cost: small files of the console's disk. Errors: Refused, Gone."""
        backup = chosen(target, params.backup)
        others = [other for other in folder.listed(target.id) if other.name != backup.name and not other.problem]
        same = [other for other in others if _database(other) == _database(backup)]
        return Plan(
            effect="Delete 1 backup",
            of=of(target, backup),
            keep="Keep it",
            figures=figures(backup, grave=True),
            facts=(*facts(backup), Fact(label="What is left", words=_left(same), signal="" if same else "warn")),
            commands=(
                "# nothing is sent to the server; on the console's disk",
                f"mv {target.id}/{backup.name} {folder.UNFINISHED}/",
                f"rm -r {folder.UNFINISHED}/{backup.name}",
            ),
            warnings=() if same else (say("It is the last whole backup of this that is here."),),
            most_count=1,
        )

    def run(self, target: Target, params: Params, *, plan: Plan, progress: Progress) -> Outcome:
        backup = chosen(target, params.backup)
        progress.check()
        folder.delete(backup)
        progress.step(1, total_count=1)
        return Outcome(ending=Ending.DONE, said=say(f"Deleted the backup {backup.name}."))


def _database(backup: Backup) -> str:
    return backup.manifest.database if backup.manifest else ""


def _left(others: list[Backup]) -> Sentence:
    if not others:
        return say("no whole backup of this")
    return say(f"{len(others)} whole, the newest begun {others[0].begun_at:%d %b %Y %H:%M} UTC")
