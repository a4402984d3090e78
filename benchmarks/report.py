"""The board as text, which is Markdown, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.others import TOLERATED

Row = dict[str, Any]
UNITS = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")), "B": ((1, "B"),)}


def quantity(value: float, unit: str) -> str:
    """Return a number with three digits, in a unit in which it is at least one."""
    size, name = next((each for each in UNITS[unit] if value >= each[0]), UNITS[unit][-1])
    shown = value / size
    return f"{shown:.0f} {name}" if shown >= 100 else f"{shown:.3g} {name}"


def cell(row: Row, name: str) -> str:
    """Return the time of a contestant, and how many times that of numrnn it is."""
    if name in row["times"]:
        shown = quantity(row["times"][name]["median"], row["unit"])
        ratio = row["ratios"].get(name)
        wrong = " WRONG" if name in row["wrong"] else ""
        return shown + (f" ({ratio['median']:.2f})" if ratio else "") + wrong
    if name in row["absent"]:
        return row["absent"][name].split(" (")[0].split(":")[0]
    return ""


def verdict(row: Row) -> str:
    """Return the marks and whether they are met."""
    words = {True: "met", False: "NOT MET", None: "open"}
    shown = [f"{mark['text']}: {words[mark['met']]}" for mark in row["marks"]]
    return "; ".join([*shown, "DISTURBED"] if is_disturbed(row) else shown)


def is_disturbed(row: Row) -> bool:
    """Return whether other programs took so much of the processors that the row means little."""
    return row.get("disturbed", 0.0) > TOLERATED


def line(row: Row) -> str:
    """Return one row, for a person who waits."""
    names = ["numrnn", *(name for name in [*row["times"], *row["absent"]] if name != "numrnn")]
    shown = ", ".join(f"{name} {cell(row, name)}" for name in names)
    return f"[{row['threads']}] {row['section']}: {row['name']}: {shown} {verdict(row)}".rstrip()


def problems(rows: Sequence[Row]) -> list[str]:
    """Return what makes the board invalid: numrnn fails, or numbers differ."""
    found = []
    for row in rows:
        where = f"{row['name']}, threads: {row['threads']}"
        found += [f"{where}: WRONG NUMBERS, {name}: {problem}" for name, problem in row["wrong"].items()]
        if "numrnn" in row["absent"]:
            found.append(f"{where}: numrnn {row['absent']['numrnn']}")
    return found


def text(board: dict[str, Any]) -> str:
    """Return the whole board."""
    rows, parts = board["rows"], []
    if board["problems"]:
        parts.append("\n".join(["## Problems", "", *(f"- {problem}" for problem in board["problems"])]))
    parts.append(overview(rows))
    for section in dict.fromkeys(row["section"] for row in rows):
        parts.append(f"## {section}\n\n" + table([row for row in rows if row["section"] == section]))
    parts.append(absences(board["skipped"], rows))
    machine = board["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine.get("versions", {}).items())
    where = f"{machine.get('processor')} ({machine.get('architecture')})"
    parts.append(f"Processor: {where}. Python {machine.get('python')}, {versions}.")
    return "# Board\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def overview(rows: Sequence[Row]) -> str:
    """Return how many marks are met."""
    judged = [(row["section"], row["threads"], mark["met"]) for row in rows for mark in row["marks"]]
    body = []
    for section, threads in dict.fromkeys(judgement[:2] for judgement in judged):
        counts = [judged.count((section, threads, met)) for met in (True, False, None)]
        body.append([section, str(threads), *map(str, counts)])
    lines = ["Medians; in parentheses how many times numrnn's time that is, so more than 1 is slower than numrnn."]
    disturbed = sum(map(is_disturbed, rows))
    if disturbed:
        lines += ["", f"{disturbed} of {len(rows)} rows were DISTURBED by other programs; their marks are open."]
    if body:
        totals = ["all", "", *(str(sum(int(line[k]) for line in body)) for k in (2, 3, 4))]
        heads = ["marks", "threads", "met", "not met", "open"]
        lines += ["", aligned([heads, *body, totals])]
    return "\n".join(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return a table with columns of equal width; the first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines = [lines[0], ["-" * width for width in widths], *lines[1:]]
    padded = ([word.ljust(width) for word, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def table(rows: Sequence[Row]) -> str:
    """Return the rows of a section, those of one work side by side."""
    peers = list(dict.fromkeys(name for row in rows for name in [*row["times"], *row["absent"]] if name != "numrnn"))
    rate = any(row["flops"] for row in rows)
    heads = ["work", "threads", "numrnn", *(["GFLOP/s"] if rate else []), *peers, "mark"]
    order = list(dict.fromkeys(row["name"] for row in rows))
    body = []
    for row in sorted(rows, key=lambda row: (order.index(row["name"]), row["threads"])):
        flops = row["flops"] and row["times"] and f"{row['flops'] / row['times']['numrnn']['median'] / 1e9:.1f}"
        figures = [cell(row, "numrnn"), *([flops or ""] if rate else []), *(cell(row, peer) for peer in peers)]
        body.append([row["name"], str(row["threads"]), *figures, verdict(row)])
    return aligned([heads, *body])


def absences(skipped: Sequence[str], rows: Sequence[Row]) -> str:
    """Return what was not measured, and why."""
    reasons = dict.fromkeys(f"- {name}: {reason}" for row in rows for name, reason in row["absent"].items())
    lines = [*(f"- {each}" for each in skipped), *reasons]
    return "\n".join(["Not measured:", "", *lines]) if lines else ""
