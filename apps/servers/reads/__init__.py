"""Questions to a registered server: what it is, whether it can be reached, what its account may do. No Django here."""

from apps.servers.reads.connection import ConnectionReport, test_connection
from apps.servers.reads.identity import Identity, Node, identify
from apps.servers.reads.rights import Rights, probe

__all__ = ["ConnectionReport", "Identity", "Node", "Rights", "identify", "probe", "test_connection"]
