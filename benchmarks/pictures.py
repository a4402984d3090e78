"""Pictures of the board."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
COLORS = {
    "numrnn": "black",
    "PyTorch": "#d95f02",
    "torch.compile": "#e7298a",
    "parallel form": "#fb9a99",
    "ONNX Runtime": "#1f78b4",
    "JAX": "#7570b3",
    "associative scan": "#1b9e77",
    "NumPy": "#33a02c",
    "built-in cell": "#a6761d",
    "stepped": "#e6ab02",
    "packing too": "#66c2a5",
    "peak": "#999999",
}
MARK_COLORS = {True: "#2ca02c", False: "#d62728", None: "#7f7f7f"}
MARK_NAMES = {True: "mark, met", False: "mark, not met", None: "mark, open"}
SCALING = {"Scaling in T": 0, "Scaling in N": 1, "Scaling in H": 2}
"""What changes, as a position in the shape (T, N, H)."""


def draw(board: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what the rows give, and return the files: none without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return []
    import matplotlib

    matplotlib.use("agg")
    timed = [row for row in board["rows"] if row["unit"] == "s" and "numrnn" in row["times"]]
    paths = []
    for name, figure in figures(timed):
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=130, bbox_inches="tight")
    return paths


def figures(rows: Sequence[Row]) -> Iterator[tuple[str, Figure]]:
    """Iterate over the pictures, with their names."""
    compared = [row for row in rows if row["ratios"] and row["section"] not in SCALING]
    if compared:
        yield "ratios", ratios(compared)
    for section in SCALING:
        chosen = [row for row in rows if row["section"] == section]
        if chosen:
            yield section.lower().replace(" ", "_"), scaling(chosen, section)
    layers = [row for row in rows if row["section"].endswith((" training", " inference"))]
    if len({row["threads"] for row in layers}) > 1:
        yield "scaling_in_threads", speedups(layers)


def threads_of(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def names_in(rows: Sequence[Row]) -> list[str]:
    return [name for name in COLORS if any(name in row["times"] for row in rows)]


def ratios(rows: Sequence[Row]) -> Figure:
    """Draw the times of all peers over numrnn's, with quartiles, and the marks."""
    counts = sorted({row["threads"] for row in rows})
    figure, columns, heights = _list_of_works(rows, len(counts))
    for axes, count in zip(columns, counts, strict=True):
        for row in rows:
            if row["threads"] == count:
                _draw_row(axes, row, heights[row["section"], row["name"]])
        axes.set_title(threads_of(count), fontsize=10)
        axes.set_xlabel(
            "time of the peer / time of numrnn\n(with quartiles; a mark asks for a dot to its right)", fontsize=9
        )
        axes.axvline(1, color="black", linewidth=1, zorder=1)
        _logarithmic(axes)
    for name in names_in(rows)[1:]:
        columns[0].plot([], [], "o", color=COLORS[name], markersize=4, label=name)
    for met, color in MARK_COLORS.items():
        if any(mark["met"] is met for row in rows for mark in row["marks"]):
            columns[0].plot([], [], "|", color=color, markersize=9, markeredgewidth=2, label=MARK_NAMES[met])
    _legend_above(figure, columns[0])
    return figure


def _draw_row(axes: Axes, row: Row, y: float) -> None:
    for name, ratio in row["ratios"].items():
        error = [[ratio["median"] - ratio["low"]], [ratio["high"] - ratio["median"]]]
        axes.errorbar(ratio["median"], y, xerr=error, fmt="o", color=COLORS[name], markersize=4, linewidth=1)
    for mark in row["marks"]:
        x = mark.get("factor")
        if x is None:  # a limit: where the first peer is when numrnn keeps it
            x = next(time["median"] for name, time in row["times"].items() if name != "numrnn") / mark["limit"]
        axes.plot(x, y, "|", color=MARK_COLORS[mark["met"]], markersize=9, markeredgewidth=2, zorder=3)


def speedups(rows: Sequence[Row]) -> Figure:
    """Draw how much faster everybody is with the most threads than with the fewest."""
    counts = sorted({row["threads"] for row in rows})
    figure, (axes,), heights = _list_of_works(rows, 1)
    times: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        times.setdefault((row["section"], row["name"]), {})[row["threads"]] = row["times"]
    for name in names_in(rows):
        points = [
            (few[name]["median"] / many[name]["median"], heights[work])
            for work, by_count in times.items()
            for few, many in [(by_count.get(counts[0], {}), by_count.get(counts[-1], {}))]
            if name in few and name in many
        ]
        axes.plot(*zip(*points, strict=True), "o", color=COLORS[name], markersize=4, label=name)
    axes.set_xlabel(f"time with {threads_of(counts[0])} / time with {threads_of(counts[-1])}", fontsize=9)
    for x in (1, counts[-1] / counts[0]):
        axes.axvline(x, color="black", linewidth=1, zorder=1)
    axes.set_xlim(0)
    _legend_above(figure, axes)
    return figure


def _list_of_works(rows: Sequence[Row], columns: int) -> tuple[Figure, Sequence[Axes], dict[tuple[str, str], float]]:
    """Return a figure with a line for each work, its columns, and the heights of the lines by section and name."""
    from matplotlib.figure import Figure

    heights, headings, height = {}, {}, 0.0
    for section, name in dict.fromkeys((row["section"], row["name"]) for row in rows):
        if section not in headings:
            headings[section] = height + 0.7
            height += 1.7
        heights[section, name] = height
        height += 1
    figure = Figure(figsize=(1 + 4.5 * columns, 0.19 * height))
    all_axes = figure.subplots(1, columns, sharex=True, sharey=True, squeeze=False, gridspec_kw={"wspace": 0.06})[0]
    for axes in all_axes:
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=8)
    first = all_axes[0]
    first.set_yticks(list(heights.values()), [name for _, name in heights], fontsize=7.5)
    first.set_ylim(height - 0.3, -0.2)
    options = {"ha": "right", "va": "center", "weight": "bold", "fontsize": 8}
    for section, y in headings.items():
        first.annotate(section, (0, y), (-4, 0), ("axes fraction", "data"), "offset points", **options)
    return figure, all_axes, heights


def _logarithmic(axes: Axes) -> None:
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


def _legend_above(figure: Figure, axes: Axes) -> None:
    inches = figure.get_figheight()
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="lower center",
        ncols=5,
        frameon=False,
        fontsize=8,
        bbox_to_anchor=(0.5, 0.88 + 0.35 / inches),
    )


def scaling(rows: Sequence[Row], section: str) -> Figure:
    """Draw the rate at which everybody works, against one of T, N and H."""
    from matplotlib.figure import Figure

    position, letter = SCALING[section], section[-1]
    figure = Figure(figsize=(5, 3.4))
    axes = figure.subplots()
    for count in sorted({row["threads"] for row in rows}):
        for name in names_in(rows):
            chosen = [row for row in rows if row["threads"] == count and name in row["times"]]
            rates = [row["flops"] / row["times"][name]["median"] / 1e9 for row in chosen]
            style = {"linestyle": "-" if count == 1 else "--", "color": COLORS[name], "marker": "o", "markersize": 4}
            axes.plot([row["shape"][position] for row in chosen], rates, label=f"{name}, {threads_of(count)}", **style)
    _logarithmic(axes)
    axes.set_xticks(sorted({row["shape"][position] for row in rows}))
    axes.set_ylim(0)
    axes.grid(color="#e5e5e5", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(xlabel=letter, ylabel="GFLOP/s")
    shape = ",".join(letter if k == position else str(size) for k, size in enumerate(rows[0]["shape"]))
    axes.set_title(f"{rows[0]['name'].rsplit(' ', 1)[0]} {shape}", fontsize=10)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)
    return figure
