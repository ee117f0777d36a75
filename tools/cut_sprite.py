"""Cut static/icons.svg out of the sprite of @tabler/icons-sprite: only the icons that the templates name.

    python tools/cut_sprite.py path/to/tabler-sprite.svg

Source: npm package @tabler/icons-sprite 3.48.0 (MIT), dist/tabler-sprite.svg.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ICONS = (ROOT / "tools" / "icons.txt").read_text().split()
SYMBOL = re.compile(r'<symbol[^>]*id="tabler-(?P<name>[a-z0-9-]+)"[^>]*>.*?</symbol>', re.DOTALL)


def main(source: Path) -> int:
    symbols = {match["name"]: match[0] for match in SYMBOL.finditer(source.read_text())}
    if missing := [name for name in ICONS if name not in symbols]:
        sys.stderr.write(f"not in {source.name}: {' '.join(missing)}\n")
        return 1
    body = "\n".join(symbols[name].replace(f'id="tabler-{name}"', f'id="{name}"') for name in sorted(set(ICONS)))
    (ROOT / "static" / "icons.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg">\n<!-- Tabler Icons 3.48.0, MIT licence -->\n{body}\n</svg>\n'
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
