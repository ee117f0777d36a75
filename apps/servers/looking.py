"""How one server is looked at by one request: which of its nodes, and whether values are shown or masked."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest

from apps.accounts.access import decide, operator_of, require
from apps.engine.target import Address
from apps.servers.models import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`shows` values (?show=1), `may_show` who could ask for it; `others` are the nodes that are not looked at."""

    address: Address
    others: tuple[Address, ...]
    shows: bool
    may_show: bool

    @property
    def nodes(self) -> tuple[Address, ...]:
        return (self.address, *self.others)


def look(request: HttpRequest, server: Server) -> Look:
    """What ?node= and ?show= of a request mean here.

    Errors: Http404 for a node the server does not have; Denied where values may not be shown.
    """
    nodes = server.address_list()
    wanted = request.GET.get("node", "")
    address = next((node for node in nodes if not wanted or str(node) == wanted), None)
    if address is None:
        raise Http404("no such node")
    shows = request.GET.get("show") == "1"
    if shows:
        require(request, "data.unmask", server.place)
    return Look(
        address=address,
        others=tuple(node for node in nodes if node != address),
        shows=shows,
        may_show=decide(operator_of(request), "data.unmask", server.place).allowed,
    )
