"""The verdict as Markdown for a pull request: the answer, the table, the rest folded away.

In: a verdict and its bundle. Out: text that GitHub renders; everything from outside is escaped.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from roofmark.analysis.verdict import Decision, Finding, Verdict
from roofmark.bundle import Bundle
from roofmark.reports.view import (
    Fact,
    answer,
    firing,
    headroom,
    place_of,
    proofs,
    provenance,
    ratio,
    reproduce,
    seconds,
    trust,
)
from roofmark.terminal_text import plain

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~$&@])")


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", plain(text)).replace("\n", " ")


def render_markdown(verdict: Verdict, bundle: Bundle, *, charts: tuple[Path, ...] = ()) -> str:
    """Return the page; `charts` are SVG files beside it."""
    parts = [f"# {escape(verdict.study)}: {verdict.decision}", ""]
    parts += [f"{escape(sentence)}\n" for sentence in answer(verdict)]
    parts += [f"![{path.stem}]({path.parent.name}/{path.name})\n" for path in charts]
    overall = [
        [each.solution, each.decision, ratio(each.speedup), _counts(each.counts)]
        for each in verdict.overall
    ]
    parts += [_table(["solution", "verdict", "speed-up", "workloads"], overall), ""]
    parts += ["## Can it be believed?", "", _facts(trust(verdict, bundle)), ""]
    fires = firing(verdict)
    if fires:
        rows = [[f.code, place_of(f), f.message, _effect(f)] for f in fires]
        parts += [_fold(f"{len(fires)} findings", _table(["code", "where", "what", "moves"], rows))]
    cells = [
        [c.workload, c.solution, seconds(c.time), ratio(c.speedup), headroom(c.roof), c.decision]
        for c in verdict.cells
    ]
    head = ["workload", "solution", "time", "speed-up", "over floor", "verdict"]
    parts += [_fold(f"{len(cells)} comparisons", _table(head, cells))]
    parts += [_fold("Builds", _facts(list(proofs(bundle))))]
    parts += [_fold("Provenance", _facts(provenance(verdict, bundle)))]
    commands = "\n".join(f"    {command}" for command in reproduce(bundle))
    parts += ["## Reproduce", "", commands, ""]
    return "\n".join(parts)


def write_charts(verdict: Verdict, bundle: Bundle, folder: Path) -> tuple[Path, ...]:
    """Write the charts as SVG files into `folder` and return their paths."""
    from roofmark.reports.charts import draw_charts, render_svg

    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for chart in draw_charts(verdict, bundle):
        if chart.spec is not None and chart.name in ("speed-ups", "roofline"):
            path = folder / f"{chart.name}.svg"
            path.write_text(render_svg(chart), encoding="utf-8")
            written.append(path)
    return tuple(written)


def _counts(counts: Mapping[Decision, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _effect(finding: Finding) -> str:
    return "accepted" if finding.accepted else finding.moves or "-"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(escape(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _facts(facts: list[Fact]) -> str:
    return "\n".join(f"- {escape(fact.name)}: {escape(fact.value)}" for fact in facts)


def _fold(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>\n"
