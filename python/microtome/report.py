"""Self-contained HTML reports: text, tables and pictures in one file, nothing fetched when it is opened.

>>> r = Report("A run")
>>> r.heading("Data"); r.table(["file", "voxels"], [["t1.nii.gz", 11393280]])
>>> r.save("report.html")
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import html
import io
import os
from pathlib import Path

__all__ = ["Report"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2329; background: #fff; margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-top: 1px solid #d6dde2; padding-top: 1rem }
table { border-collapse: collapse; margin: .8rem 0 } th, td { padding: .25rem .8rem; border-bottom: 1px solid #e3e8ec; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums } figure { margin: 1rem 0 } img { max-width: 100%; height: auto }
figcaption, .note { color: #55626c; font-size: .92rem } code { background: #f1f4f6; padding: 0 .25rem }
"""


class Report:
    """Collects parts in order; `save` writes them. Text is escaped; pictures are embedded as PNG."""

    def __init__(self, title: str, subtitle: str = ""):
        self.title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if subtitle:
            self.note(subtitle)

    def heading(self, text: str) -> None:
        """A section's heading."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        """A paragraph in small grey letters."""
        self._parts.append(f'<p class="note">{html.escape(text)}</p>')

    def table(self, head: list[str], rows: list[list]) -> None:
        """A table; numbers are set to the right, floats with four significant digits."""
        cells = "".join(f"<th>{html.escape(str(h))}</th>" for h in head)
        lines = [f"<tr>{cells}</tr>"]
        for row in rows:
            lines.append("<tr>" + "".join(self._cell(value) for value in row) + "</tr>")
        self._parts.append(f"<table>{''.join(lines)}</table>")

    @staticmethod
    def _cell(value) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"<td>{html.escape(str(value))}</td>"
        text = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
        return f'<td class="n">{text}</td>'

    def picture(self, picture, caption: str = "") -> None:
        """A matplotlib figure (closed afterwards), PNG bytes, or the path of a PNG file."""
        if isinstance(picture, bytes):
            data = picture
        elif isinstance(picture, (str, os.PathLike)):
            data = Path(picture).read_bytes()
        else:
            buffer = io.BytesIO()
            picture.savefig(buffer, format="png", dpi=110, bbox_inches="tight", facecolor="white")
            data = buffer.getvalue()
            picture.clear()
        source = base64.b64encode(data).decode()
        alt = html.escape(caption, quote=True)
        self._parts.append(f'<figure><img alt="{alt}" src="data:image/png;base64,{source}">')
        self._parts.append(f"<figcaption>{html.escape(caption)}</figcaption></figure>")

    def html(self) -> str:
        """The whole document."""
        body = "\n".join(self._parts)
        return (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(self.title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style>{body}</html>\n'
        )

    def save(self, path: str | os.PathLike) -> None:
        """Writes the report beside `path`, then renames: a reader never sees half of it."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(self.html(), encoding="utf-8")
        temporary.replace(path)
