"""Numbers for people: two or three significant digits, always a unit, never more precision than is known."""

from __future__ import annotations

KIB = 1024
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB")


def _scaled(value: float, base: int, names: tuple[str, ...]) -> tuple[str, str]:
    index = 0
    while abs(value) >= base and index < len(names) - 1:
        value /= base
        index += 1
    return (str(int(value)) if index == 0 else _short(value)), names[index]


def _short(value: float) -> str:
    """Three significant digits, no needless zeros: 9.4, 18.4, 412."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def memory(size_bytes: float) -> tuple[str, str]:
    """(figure, unit) for memory: 1536 -> ("1.5", "KiB")."""
    return _scaled(size_bytes, KIB, _BINARY)


def disk(size_bytes: float) -> tuple[str, str]:
    """(figure, unit) for disks and files: 1_500_000 -> ("1.5", "MB")."""
    return _scaled(size_bytes, 1000, _DECIMAL)


def count(value: float) -> str:
    """Thousands with a comma: 2134880 -> "2,134,880"."""
    return f"{value:,.0f}"


def rate(value: float) -> tuple[str, str]:
    """(figure, prefix) for rates: 18400 -> ("18.4", "k")."""
    return (
        (_short(value / 1000), "k") if abs(value) >= 10_000 else (f"{value:,.0f}" if value >= 10 else _short(value), "")
    )


def share(ratio: float) -> str:
    """A share as a percentage without its sign: 0.941 -> "94.1"; close to 100 keeps the digit that matters."""
    return f"{ratio * 100:.1f}".removesuffix(".0") if ratio < 0.9995 else "100"


_STEPS = ((86400 * 365, "y"), (86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float) -> tuple[tuple[str, str], ...]:
    """At most two units: 3725 -> (("1", "h"), ("2", "min")); below a second in ms or µs."""
    if seconds < 0:
        return tuple((figure if i else f"-{figure}", unit) for i, (figure, unit) in enumerate(duration(-seconds)))
    if seconds < 0.001:
        return ((f"{seconds * 1e6:.0f}", "µs"),)
    if seconds < 1:
        return ((_short(seconds * 1000), "ms"),)
    if seconds < 10:
        return ((_short(seconds), "s"),)
    for index, (size, unit) in enumerate(_STEPS):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            parts = [(str(whole), unit)]
            if index + 1 < len(_STEPS) and whole < 10 and (small := rest // _STEPS[index + 1][0]):
                parts.append((str(small), _STEPS[index + 1][1]))
            return tuple(parts)
    return (("0", "s"),)


def duration_text(seconds: float) -> str:
    return " ".join(f"{figure} {unit}" for figure, unit in duration(seconds))


_WORDS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


def duration_range(low_s: float, high_s: float) -> str:
    """`2 to 3 days`: both ends in the largest unit of which the higher has two; one figure where they are the same."""
    size, word = next(((s, w) for s, w in _WORDS if high_s >= 2 * s), _WORDS[-1])
    low, high = round(low_s / size), max(round(high_s / size), 1)
    words = f"{word}s" if high != 1 else word
    if not low:
        return f"less than {high:,} {words}"
    return f"about {high:,} {words}" if low == high else f"{low:,} to {high:,} {words}"
