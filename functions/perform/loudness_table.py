"""The beat-by-beat loudness table, as the command prints it.

It shows what ``loudness.json`` holds, a decimal short: levels to 0.1 dB. What was turned down or
left out stands below the table, so that no figure is read without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from functions.perform.pattern_rendering import Rendering
from shared.contracts.plurals import many

_COLUMNS = (
    ("beat", "label"),
    ("LUFS", "lufs"),
    ("RMS dBFS", "rms_dbfs"),
    ("peak dBFS", "peak_dbfs"),
    ("crest dB", "crest_factor_db"),
    ("peak hold dBFS", "peak_hold_dbfs"),
)
"""Title -> the row's field, in the order in which they are shown."""


def format_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of ``tracker_loudness_rows`` in columns, one line a beat; silence is a dash."""
    cells = [[_cell(row[key]) for _, key in _COLUMNS] for row in rows]
    titles = [title for title, _ in _COLUMNS]
    widths = [max(len(line[index]) for line in (titles, *cells)) for index in range(len(titles))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in (titles, *cells)
    ]
    return "\n".join(lines)


def format_performance(rendering: Rendering) -> str:
    """The table, and under it what else a rehearsal wants to know."""
    integrated = rendering.integrated_lufs
    loudness = "silent" if integrated is None else f"{integrated:.1f} LUFS integrated"
    lines = [
        format_table(rendering.loudness_rows),
        "",
        f"{rendering.score.name}: {rendering.duration_s:.1f} s at {rendering.tempo_bpm:g} BPM, {loudness}",
        f"{many(rendering.automation_events, 'automation event')} scheduled",
        *(f"  {_fade(entry)}" for entry in rendering.automation_log if entry["curve"]),
        *rendering.score.notices,
    ]
    if rendering.trim_db:
        lines.append(f"turned down by {-rendering.trim_db:.1f} dB to stay below full scale")
    return "\n".join(lines)


def _fade(entry: Mapping[str, Any]) -> str:
    """A fade of the log in words; of one that was cut short also what was asked for."""
    shortened = entry["applied_ms"] < entry["asked_ms"]
    asked = f" (of {entry['asked_ms']:g} ms asked; the next value came first)" if shortened else ""
    return (
        f"lane '{entry['lane']}', row {entry['row']}: {entry['control']} to {entry['text']}, "
        f"{entry['curve']} over {entry['applied_ms']:g} ms{asked}"
    )


def _cell(value: Any) -> str:
    """A number to 0.1, channels with strokes between them, a dash for silence."""
    if isinstance(value, list):
        return "/".join(_cell(one) for one in value)
    if value is None:
        return "-"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
