"""A study's page: the answer, then what a reviewer asks next, in the order in which it is asked.

In: a verdict and its bundle. Out: a `Sheet`; HTML and Markdown are two renderings of it. What was
compared, is it trustworthy, why, on which workload, from where, and how to do it again.
"""

from collections.abc import Iterable, Sequence

from roofmark.analysis.verdict import Estimate, Verdict
from roofmark.bundle import Bundle
from roofmark.reports import proof, view
from roofmark.reports.asked import asked_facts, solution_table
from roofmark.reports.blocks import (
    Bar,
    Block,
    Column,
    Commands,
    Fact,
    Facts,
    Figure,
    Fold,
    Line,
    Section,
    Sheet,
    Table,
    Words,
)
from roofmark.reports.charts.ecdf import draw_ecdf
from roofmark.reports.charts.forest import draw_forest
from roofmark.reports.charts.paint import around
from roofmark.reports.charts.roofline import draw_roofline
from roofmark.reports.charts.size import draw_size
from roofmark.reports.charts.steadiness import draw_steadiness
from roofmark.reports.charts.waterfall import draw_waterfall
from roofmark.reports.headline import headline
from roofmark.reports.legs import LegTable, leg_tables
from roofmark.reports.wording import NOTHING, counted, joined, one_line, place_on_log, sentence


def study_sheet(verdict: Verdict, bundle: Bundle) -> Sheet:
    """Return a study's page."""
    facts = proof.trust(verdict, bundle)
    return Sheet(
        about=one_line(bundle.study.title or verdict.study),
        caveats=view.caveats(verdict),
        headline=headline(verdict),
        context=view.context(verdict),
        decision=verdict.decision,
        top=[_solutions(verdict), _trust_in_short(facts)],
        sections=[
            _section("compared", "What was compared", _compared(verdict, bundle)),
            _section("trust", "Is it trustworthy?", _trust(verdict, bundle, facts)),
            _section("why", "Why?", _why(verdict, bundle)),
            _section("evidence", "Workload by workload", _evidence(verdict, bundle)),
            *_engines(verdict, bundle),
            _section("provenance", "Where it comes from", _origin(verdict, bundle)),
            _section("reproduce", "Do it again", [Commands(proof.reproduce(verdict, bundle))]),
        ],
        foot=f"All of this follows from bundle {verdict.bundle[:12]} and from nothing else.",
    )


def _section(name: str, title: str, blocks: Sequence[Block]) -> Section:
    return Section(name=name, title=title, blocks=blocks)


# --- the answer ----------------------------------------------------------------------------------
def _solutions(verdict: Verdict) -> Table:
    level = f"{verdict.level * 100:.4g} % interval"
    names = ("Solution", "Verdict", "Speed-up", level, "", "Workloads")
    kinds = ("name", "verdict", "big", "number", "bar", "text")
    bars = _bars(verdict)
    rows = [
        Line(
            (
                f"{row.solution}\nA/A control" if row.twin else row.solution,
                row.decision + (", mixed" if row.mixed else ""),
                row.speedup,
                row.interval,
                bars.get(row.solution, ""),
                "\n".join(part for part in (row.tally, row.why) if part),
            ),
            quiet=row.twin,
        )
        for row in view.solution_rows(verdict)
    ]
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Table(title="Every solution over all workloads", columns=columns, rows=rows)


def _bars(verdict: Verdict) -> dict[str, Bar]:
    """Return solution -> its interval on one logarithmic axis, which 1 is always on."""
    found = {e.solution: (e.speedup, e.decision) for e in verdict.overall
             if isinstance(e.speedup, Estimate) and e.speedup.low > 0}  # fmt: skip
    ends = [end for each, _ in found.values() for end in (each.low, each.high)]
    span = around([1.0, *ends])
    return {
        name: Bar(
            low=place_on_log(each.low, span),
            high=place_on_log(each.high, span),
            at=place_on_log(each.value, span),
            one=place_on_log(1.0, span),
            decision=decision,
        )
        for name, (each, decision) in found.items()
    }


def _trust_in_short(facts: Sequence[Fact]) -> Words:
    """Return how many checks of trust hold, and which do not."""
    asked = [fact for fact in facts if fact.mark]
    failed = [fact for fact in asked if fact.mark != "good"]
    if not failed:
        names = joined([fact.name for fact in asked])
        return Words(f"All {len(asked)} checks of trust hold: {names}.", mark="good")
    said = "; ".join(f"{fact.name}: {fact.value}" for fact in failed)
    holding = f"{len(asked) - len(failed)} of {len(asked)} checks of trust hold. Look at {said}."
    return Words(holding, mark="bad" if any(f.mark == "bad" for f in failed) else "doubt")


# --- what was compared ---------------------------------------------------------------------------
def _compared(verdict: Verdict, bundle: Bundle) -> list[Block]:
    return [Facts(asked_facts(verdict, bundle)), solution_table(bundle)]


# --- trust ---------------------------------------------------------------------------------------
def _trust(verdict: Verdict, bundle: Bundle, facts: Sequence[Fact]) -> list[Block]:
    rows = view.finding_rows(verdict)
    moving = [row for row in rows if row.moves]
    rest = [row for row in rows if not row.moves]
    blocks: list[Block] = [Facts(facts)]
    if moving:
        blocks.append(_findings(moving, "Findings that move a verdict"))
    if rest:
        title = f"{counted(len(rest), 'finding')} that {'informs' if len(rest) == 1 else 'inform'}"
        blocks.append(Fold(title=title, blocks=[_findings(rest, title)]))
    return [*blocks, Figure(draw_steadiness(verdict, bundle))]


def _findings(rows: Iterable[view.FindingRow], title: str) -> Table:
    columns = [Column("Code", "name"), Column("Where"), Column("What"), Column("Effect", "verdict")]
    lines = [Line((row.code, row.where, f"{row.title}\n{row.message}", row.effect)) for row in rows]
    return Table(title=title, columns=columns, rows=lines)


# --- why -----------------------------------------------------------------------------------------
def _why(verdict: Verdict, bundle: Bundle) -> list[Block]:
    rows = view.bound_rows(verdict)
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    blocks: list[Block] = []
    if rows:
        names = ("Solution", "Limited by", "To that roof", "On", "Because")
        kinds = ("name", "text", "number", "text", "text")
        lines = [
            Line(
                (f"{verdict.baseline}\nbaseline" if row.solution in twins else row.solution,
                 f"{row.kind}\n{row.code}".strip(), row.headroom, row.workloads,
                 row.because),
                quiet=row.solution in twins,
            )
            for row in sorted(rows, key=lambda row: row.solution in twins)
        ]  # fmt: skip
        columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
        blocks = [
            Table(title="What limits each solution", columns=columns, rows=lines),
            *_advice([row for row in rows if row.solution not in twins]),
        ]
    else:
        blocks = [Words("No solution has a time of which a bound could be named.")]
    blocks.append(Figure(draw_roofline(verdict, bundle)))
    blocks.append(Figure(draw_size(verdict)))
    shares = draw_waterfall(verdict, bundle)
    return [*blocks, Figure(shares)] if shares.spec is not None else blocks


def _advice(rows: Sequence[view.BoundRow]) -> list[Block]:
    """Return what to try, each piece of advice once, with those it is for."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.kind, row.advice, row.confirm), []).append(row.solution)
    facts = [
        Fact(
            f"{sentence(kind)}: {joined(list(dict.fromkeys(names)))}",
            f"{advice} Confirmed by: {confirm}",
        )
        for (kind, advice, confirm), names in groups.items()
        if advice
    ]
    return [Words("What to try:"), Facts(facts)] if facts else []


# --- evidence ------------------------------------------------------------------------------------
def _evidence(verdict: Verdict, bundle: Bundle) -> list[Block]:
    blocks: list[Block] = [Figure(draw_forest(verdict), main=True)]
    if verdict.contrasts:
        blocks.append(_contrasts(verdict))
    cells = counted(len(verdict.cells), "comparison")
    blocks += [
        Fold(title=f"All {cells}", blocks=[_cells(verdict)]),
        Figure(draw_ecdf(verdict, bundle)),
    ]
    fits = [Fact(row.solution, row.fit) for row in view.solution_rows(verdict)
            if row.fit != NOTHING and not row.twin]  # fmt: skip
    others = [
        Fact(f"{row.workload}, {row.solution}", row.other_tiers)
        for row in view.cell_rows(verdict)
        if row.other_tiers != NOTHING
    ]
    if fits or others:
        about = (
            "A fit says what a call costs whatever it moves, and at which rate it moves bytes. "
            "Other tiers do not decide, and are not to be compared with the one that does."
        )
        inner = [Words(about, soft=True), Facts([*fits, *others])]
        blocks.append(Fold(title="Fits and other tiers", blocks=inner))
    return blocks


def _contrasts(verdict: Verdict) -> Table:
    names = ("Contrast", "Of", "Verdict", "Speed-up", "What differs")
    kinds = ("name", "text", "verdict", "number", "text")
    rows = [
        Line((row.name, row.pair, row.decision, row.speedup, row.changed))
        for row in view.contrast_rows(verdict)
    ]
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Table(title="Contrasts that the study asks for", columns=columns, rows=rows)


def _cells(verdict: Verdict) -> Table:
    twins = {each.solution for each in verdict.overall if each.role == "twin"}
    names = ("Workload", "Solution", "Time", "Baseline", "Speed-up", "Over its floor", "Bound",
             "Verdict")  # fmt: skip
    kinds = ("name", "text", "number", "number", "number", "number", "text", "verdict")
    rows = [
        Line(
            (row.workload, row.solution, row.time, row.baseline_time, row.speedup, row.headroom,
             row.bound, "\n".join(part for part in (row.decision, row.why) if part)),
            quiet=row.solution in twins,
        )
        for row in view.cell_rows(verdict)
    ]  # fmt: skip
    columns = [Column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Table(title="Every solution on every workload", columns=columns, rows=rows)


# --- engines -------------------------------------------------------------------------------------
def _engines(verdict: Verdict, bundle: Bundle) -> list[Section]:
    """Return what was seen of engines, folded; nothing of a study of kernels."""
    blocks = [
        Fold(title=each.title, blocks=[Words(each.note, soft=True), _plain_table(each)])
        for each in leg_tables(verdict, bundle)
    ]
    return [_section("engines", "Leg by leg", blocks)] if blocks else []


def _plain_table(found: LegTable) -> Table:
    columns = [Column(name) for name in found.head]
    return Table(title=found.title, columns=columns, rows=[Line(row) for row in found.rows])


# --- provenance ----------------------------------------------------------------------------------
def _origin(verdict: Verdict, bundle: Bundle) -> list[Block]:
    found = proof.provenance(verdict, bundle)
    ceilings = [fact for fact in found if fact.name.startswith("Ceiling ")]
    blocks: list[Block] = [Facts([fact for fact in found if fact not in ceilings])]
    if built := proof.proofs(bundle):
        blocks.append(Fold(title="What was built", blocks=[Facts(built)]))
    if ceilings:
        title = f"{counted(len(ceilings), 'ceiling')} measured on this device"
        blocks.append(Fold(title=title, blocks=[Facts(ceilings)]))
    return blocks
