"""The burst as a picture: what waits and what works, over time."""

from __future__ import annotations

from pathlib import Path

from infra.capacity.simulation import Burst, Outcome


def draw(burst: Burst, outcome: Outcome, path: Path) -> None:
    """Write a PNG: backlog above, busy instances below, a line for each function that was ever busy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    hours = [time / 3600 for time in outcome.times_s]
    for axes, series in ((above, outcome.backlog), (below, outcome.instances)):
        for name, values in series.items():
            axes.plot(hours, values, label=name, linewidth=1.5)
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    above.set_title(
        f"{burst.uploads:,} recordings in {burst.over_s / 60:.0f} minutes, median"
        f" {burst.recording_s / 60:.0f} min, {burst.video_share:.0%} video"
    )
    above.set_ylabel("messages waiting")
    above.yaxis.set_major_formatter("{x:,.0f}")
    below.set_ylabel("instances at work")
    below.set_xlabel("hours")
    above.legend(ncols=2, fontsize=8)
    figure.savefig(path, dpi=80, metadata={"Software": None})
