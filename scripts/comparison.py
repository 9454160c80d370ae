# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""What scripts/compare makes of the words of two benchmarks: figures out of their output, the two commits beside
each other, and which figure is worse by more than is allowed; and what scripts/figures writes of one. Pure: no
process, no file, no clock."""

import json
import statistics
from dataclasses import dataclass, field


class NoFigures(Exception):
    """A benchmark said something else than figures; the text says what."""


def document_in(text):
    """The JSON document in what a program printed; lines of others may stand before it and behind it."""
    decoder = json.JSONDecoder()
    at = 0
    for line in text.splitlines(keepends=True):
        if line.startswith(("{", "[")):
            try:
                return decoder.raw_decode(text, at)[0]
            except ValueError:
                pass
        at += len(line)
    raise NoFigures("no JSON in what it printed")


def figures_of(document):
    """{name: (unit, value, better)} of a benchmark's JSON (bench/support/figures.h). Two others are read as well:
    Google's benchmark library, and pipeline_bench as it was before all benchmarks had one shape."""
    if not isinstance(document, dict):
        raise NoFigures("its JSON has no list of figures; is that revision older than the list?")
    if "figures" in document:
        return {figure["name"]: (figure["unit"], figure["value"], figure["better"])
                for figure in document["figures"] if figure["value"] is not None}
    if "benchmarks" in document:
        return {row["name"]: (row["time_unit"], row["cpu_time"], "less") for row in document["benchmarks"]}
    if "cases" in document:
        figures = {}
        for row in document["cases"]:
            figures[f"{row['name']}: cycles a packet"] = ("cycles", row["cycles_per_packet"], "less")
            if "instructions_per_packet" in row:
                figures[f"{row['name']}: instructions a packet"] = (
                    "instructions", row["instructions_per_packet"], "less")
            figures[f"{row['name']}: testpmd io"] = ("cycles", row["testpmd_io"], None)
        return figures
    raise NoFigures("its JSON has no list of figures; is that revision older than the list?")


@dataclass
class Row:
    """One figure of both commits, over all turns."""
    name: str
    unit: str
    better: str  # "less", "more", or None: nothing that can be worse
    old: list = field(default_factory=list)
    new: list = field(default_factory=list)

    @property
    def ratios(self):
        """New by old, turn by turn: what the machine did to one it did to the other."""
        return [new / old for old, new in zip(self.old, self.new) if old]

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def spread(self):
        """(least, most) of the turns' ratios."""
        return (min(self.ratios), max(self.ratios)) if self.ratios else None

    @property
    def worse_percent(self):
        """How much worse the new one is; negative: better. None: it cannot be said."""
        if self.better is None or self.ratio is None:
            return None
        times = self.ratio if self.better == "less" else 1 / self.ratio if self.ratio else float("inf")
        return round(100 * times - 100, 9)


def compare(old_turns, new_turns):
    """(rows, names that only the old has, names that only the new has) of figures_of() turn by turn. A figure counts
    only if every turn of both has it."""
    olds = set.intersection(*map(set, old_turns))
    news = set.intersection(*map(set, new_turns))
    rows = []
    for name in (name for name in new_turns[0] if name in olds & news):
        unit, _, better = new_turns[0][name]
        rows.append(Row(name, unit, better, [turn[name][1] for turn in old_turns], [turn[name][1] for turn in new_turns]))
    return rows, sorted(olds - news), sorted(news - olds)


def worse(rows, max_worse_percent):
    return [row for row in rows if row.worse_percent is not None and row.worse_percent > max_worse_percent]


def is_noisy(row, max_worse_percent):
    """The turns do not agree on which side of the limit it is: what its median says may be chance."""
    if row.spread is None:
        return False
    sides = {Row(row.name, row.unit, row.better, [1], [ratio]).worse_percent > max_worse_percent
             for ratio in row.spread}
    return len(sides) > 1


def short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(rows, max_worse_percent=None):
    lines = [f"{'figure':<60} {'unit':<12} {'old':>10} {'new':>10} {'new/old':>8}  {'of the turns':<14}"]
    for row in rows:
        line = (f"{row.name:<60} {row.unit:<12} {short(statistics.median(row.old)):>10} "
                f"{short(statistics.median(row.new)):>10} ")
        if row.ratio is None:
            line += f"{'-':>8}"
        else:
            low, high = row.spread
            line += f"{row.ratio:8.4f}  {low:.4f}-{high:.4f}"
        if row.better is None:
            line += "  not judged"
        elif max_worse_percent is not None and row.ratio is not None:
            line += "  WORSE" if row in worse(rows, max_worse_percent) else ""
            line += "  noisy" if is_noisy(row, max_worse_percent) else ""
        lines.append(line.rstrip())
    return "\n".join(lines)


def as_json(rows):
    return [{"name": row.name, "unit": row.unit, "better": row.better, "old": statistics.median(row.old),
             "new": statistics.median(row.new), "ratio": row.ratio, "spread": row.spread,
             "worse_percent": row.worse_percent} for row in rows]


def verdict(rows, max_worse_percent):
    """(exit status, the last line)."""
    judged = [row for row in rows if row.worse_percent is not None]
    if not judged:
        return 1, "compare: no figure of both that could be worse: nothing was compared"
    bad = worse(rows, max_worse_percent)
    if not bad:
        most = max(judged, key=lambda row: row.worse_percent)
        return 0, (f"compare: {len(judged)} figures, none more than {max_worse_percent:g} % worse; "
                   f"at most {most.worse_percent:+.2f} % ({most.name})")
    words = "; ".join(f"{row.name} {row.worse_percent:+.2f} %" for row in bad)
    doubt = " (the turns of some do not agree: more --turns, or a quiet machine)" if any(
        is_noisy(row, max_worse_percent) for row in bad) else ""
    return 1, f"compare: {len(bad)} of {len(judged)} figures more than {max_worse_percent:g} % worse: {words}{doubt}"


# --- the page of scripts/figures ---

PAGE_HEAD = """# Figures

What the benchmarks gave on one machine on one day. This page is for readers and is written by `scripts/figures`; it
decides nothing. A machine that others use too gives the same program twice the time in another hour: compare figures
of one table only. What is promised are ratios, with reasons: [SPECIFICATION.md](../SPECIFICATION.md). Two commits are
compared by `scripts/compare`.
"""


def bound_words(figure):
    if "missing" in figure:
        return "**not measured**"
    if "bound" not in figure:
        return ""
    words = f"at {'least' if figure['better'] == 'more' else 'most'} {figure['bound']:g}"
    return words if figure["met"] else f"{words}, **missed**"


def page(facts, sections):
    """Markdown of [(what, words)] and [(title, command, document or None, why there is none)]."""
    lines = [PAGE_HEAD, "| measured on | |", "|---|---|", *(f"| {what} | {words} |" for what, words in facts), ""]
    for title, command, document, why in sections:
        lines += [f"## {title}", "", f"`{command}`", ""]
        if document is None:
            lines += [f"Not measured: {why}.", ""]
            continue
        lines += ["| figure | value | unit | bound |", "|---|---:|---|---|"]
        for figure in document["figures"]:
            value = "-" if figure["value"] is None else short(figure["value"])
            lines.append(f"| {figure['name']} | {value} | {figure['unit']} | {bound_words(figure)} |")
        lines.append("")
    return "\n".join(lines)
