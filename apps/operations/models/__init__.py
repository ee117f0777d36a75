"""Plans, runs, who agreed, what was kept, and what was written down. Everything here belongs to the console alone."""

from apps.operations.models.approvals import Approval, Freeze, freezes_in_force
from apps.operations.models.archives import StoredArchive
from apps.operations.models.audit import Anchor, AuditEntry, ChainCheck
from apps.operations.models.deliveries import Message, Notice
from apps.operations.models.plans import Plan
from apps.operations.models.runs import LogLine, Run, ServerLock

__all__ = [
    "Anchor",
    "Approval",
    "AuditEntry",
    "ChainCheck",
    "Freeze",
    "LogLine",
    "Message",
    "Notice",
    "Plan",
    "Run",
    "ServerLock",
    "StoredArchive",
    "freezes_in_force",
]
