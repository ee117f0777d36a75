"""The audit: filtered, opened, checked, exported. Everybody sees their own rows; auditors and admins see all."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.access import console_page, decide, operator_of
from apps.operations import audit as writer
from apps.operations import audit_chain
from apps.operations.actor import actor_of
from apps.operations.models import Anchor, AuditEntry, ChainCheck, Run
from apps.operations.models.audit import Phase
from apps.operations.seeing import sees_all, visible_entries

PAGE = 100
MOST_EXPORTED = 100_000
KINDS = {
    "changes": (Phase.INTENT, Phase.OUTCOME),
    "denied": (Phase.DENIED,),
    "read": (Phase.READ,),
    "sign-ins": (Phase.SIGN_IN,),
    "approvals": (Phase.ASKED, Phase.ANSWERED),
    "console": (Phase.CONSOLE,),
}
DAYS = {"1": 1, "7": 7, "30": 30, "": 0}


@require_safe
@console_page("console.use")
def audit(request: HttpRequest) -> HttpResponse:
    """Rows newest first, one of them opened. Cost: five queries; the chain is not walked here."""
    operator = operator_of(request)
    seen = visible_entries(operator)
    chosen = _filtered(seen, request)
    before = _number(request.GET.get("before", ""))
    rows = list((chosen.filter(seq__lt=before) if before is not None else chosen)[: PAGE + 1])
    counts = dict(_filtered(seen, request, kind=False).order_by().values_list("phase").annotate(Count("pk")))
    context = {
        "rows": rows[:PAGE],
        "next": rows[PAGE - 1].seq if len(rows) > PAGE else None,
        "counts": {kind: sum(counts.get(phase, 0) for phase in phases) for kind, phases in KINDS.items()},
        "total_count": sum(counts.values()),
        "opened": _opened(seen, request),
        "sees_all": sees_all(operator),
        "may_export": decide(operator, "audit.export").allowed,
        "check": ChainCheck.objects.first(),
        "anchor": Anchor.objects.first(),
        "unknown_count": Run.objects.filter(state="unknown").count(),
        "filters": {name: request.GET.get(name, "") for name in ("q", "who", "server", "days", "kind")},
    }
    return render(request, "operations/audit.html", context)


def _number(text: str) -> int | None:
    """One that a database can hold."""
    return int(text) if text.isdecimal() and len(text) < 18 else None


def _filtered(seen: QuerySet[AuditEntry], request: HttpRequest, *, kind: bool = True) -> QuerySet[AuditEntry]:
    asked = {
        name: request.GET.get(name, "").replace("\x00", "")[:80] for name in ("q", "who", "server", "days", "kind")
    }
    if kind and asked["kind"] in KINDS:
        seen = seen.filter(phase__in=KINDS[asked["kind"]])
    if asked["who"]:
        seen = seen.filter(actor=asked["who"])
    if asked["server"]:
        seen = seen.filter(server_key=asked["server"])
    if days := DAYS.get(asked["days"], 0):
        seen = seen.filter(at__gt=timezone.now() - timedelta(days=days))
    if asked["q"]:
        words = Q(payload__icontains=asked["q"])
        number = _number(asked["q"])
        seen = seen.filter(words if number is None else words | Q(run_number=number))
    return seen


def _opened(seen: QuerySet[AuditEntry], request: HttpRequest) -> dict[str, Any] | None:
    number = _number(request.GET.get("row", ""))
    entry = seen.filter(seq=number).first() if number is not None else None
    if entry is None:
        return None
    told: dict[str, Any] = msgspec.json.decode(entry.payload)
    facts: dict[str, Any] = told.get("facts") or {}
    return {
        "entry": entry,
        "who": facts.pop("who", {}),
        "params": facts.pop("params", {}),
        "facts": [
            (label.replace("_", " "), _plain(value))
            for label, value in sorted(facts.items())
            if value not in ("", None, [], {})
        ],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


@require_POST
@console_page("audit.export")
def verify(request: HttpRequest) -> HttpResponse:
    """Walk the chain now."""
    found = audit_chain.check()
    if found.problem:
        messages.error(request, f"The chain is broken: {found.problem}")
    else:
        messages.success(request, f"{found.rows_count:,} rows, unbroken.")
    return redirect("operations:audit")


# -- export ------------------------------------------------------------------------------------------------------------

COLUMNS = (
    "seq",
    "at",
    "phase",
    "actor",
    "action",
    "server_key",
    "environment",
    "run_number",
    "result",
    "payload",
    "mac",
)


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


@require_POST
@console_page("audit.export")
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """What the filters choose, as CSV that no spreadsheet takes for formulas. That it was exported is written down first."""
    actor = actor_of(request)
    chosen = _filtered(visible_entries(actor.operator), request)
    with transaction.atomic():
        writer.append(
            Phase.READ, actor=actor.name, action="audit.export", result="done", query=request.GET.urlencode()[:400],
            who=actor.facts(),
        )  # fmt: skip
    response = StreamingHttpResponse(_lines(chosen), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%d-%H%M%S}.csv"'
    return response


def _lines(chosen: QuerySet[AuditEntry]) -> Iterator[str]:
    rows = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield rows.writerow(COLUMNS)
    for number, values in enumerate(chosen.values_list(*COLUMNS)[: MOST_EXPORTED + 1].iterator(chunk_size=1000)):
        if number == MOST_EXPORTED:
            yield rows.writerow([f"These are the newest {MOST_EXPORTED:,}: filter by period for the others."])
            return
        yield rows.writerow([spreadsheet_safe(value) for value in values])


# What a spreadsheet takes for the beginning of a formula, full-width forms and what it strips before it looks included.
FORMULA = tuple("=+-@\t\r\n\x00\uff1d\uff0b\uff0d\uff20")


def spreadsheet_safe(value: Any) -> str:
    """Text that begins like a formula, blanks aside, gets an apostrophe before it: a spreadsheet would run it."""
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip().startswith(FORMULA) else text
