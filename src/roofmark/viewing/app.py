"""The application: which address shows what.

In: requests for addresses on a shelf. Out: pages. Every route reads; none takes a path. An answer
has a digest, and a page that follows a run asks with the digest it has: it gets nothing while
nothing changed.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from roofmark.analysis.between import compare_sides
from roofmark.errors import BundleError, RoofmarkError
from roofmark.evidence import Passed
from roofmark.records import Missing, digest
from roofmark.reports import comparisons, proof, view
from roofmark.reports.html import render_html
from roofmark.viewing import drill, samples
from roofmark.viewing.entries import (
    STATES,
    VERDICTS,
    Asked,
    Entry,
    list_entries,
    read_asked,
)
from roofmark.viewing.guard import REPORT_POLICY, Guard
from roofmark.viewing.loops import LoopView, is_loop, read_loop
from roofmark.viewing.pages import STATIC, render, scale_of, static
from roofmark.viewing.shelf import Opened, Shelf, Snapshot

# Chosen: two screens of comparisons; more stand on further pages.
_CELLS = 100
_MOST_COMPARED = 1000
# Chosen: what a browser lays out every second without a stutter.
_MOST = 300
# That processes are too few is true of every run that is not over.
_TOO_FEW = "RM308"
# Chosen: what a run writes in a second is at most a few traces.
_FOLLOW = 1.0


def make_app(shelf: Shelf) -> Starlette:
    """Return the application over a shelf that was started."""
    desk = _Desk(shelf)
    pages: dict[str, Callable[[Request], Response]] = {
        "/": desk.index,
        "/bundle": desk.bundle,
        "/cell": desk.cell,
        "/solution": desk.solution,
        "/report": desk.report,
        "/compare": desk.compare,
        "/loop": desk.loop,
        "/rule": desk.rule,
        "/static/{name}": desk.static,
    }
    return Starlette(
        routes=[Route(path, desk.answered(page), methods=["GET"]) for path, page in pages.items()],
        middleware=[Middleware(Guard)],
        exception_handlers={HTTPException: desk.failed, Exception: desk.failed},
    )


class _Desk:
    """Answers requests about one shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def answered(self, page: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """Return a page that tells an error as people read it."""

        def answer(request: Request) -> Response:
            try:
                return page(request)
            except RoofmarkError as error:
                status = 404 if error.code in ("RM481", "RM121") else 409
                problems = error.problems
                return self._page(request, "message.html", status, title="No", problems=problems)

        return answer

    def index(self, request: Request) -> Response:
        """List what lies in the folder."""
        now = self._shelf.now()
        loops = self._loops(now)
        listed = list_entries(now.entries.values(), read_asked(request.query_params), loops)
        return self._page(
            request,
            "index.html",
            follow=now.every,
            listed=listed,
            asked=listed.asked,
            usual=Asked(),
            now=now,
            loops={name: self._loop_or_why(path) for name, path in loops.items()},
            verdicts=(*VERDICTS, *STATES),
            scale=scale_of(e.best[1] for e in listed.rows if e.best),
        )

    def bundle(self, request: Request) -> Response:
        """Show one bundle: its answer, or how far its run is."""
        entry = self._entry(request)
        if entry.state == "damaged":
            return self._page(request, "damaged.html", entry=entry)
        opened = self._shelf.open(entry)
        if opened.underway is not None:
            return self._underway(request, entry, opened)
        verdict = opened.judged
        cells = verdict.cells
        wanted = request.query_params.get("solution", "")
        chosen = [each for each in cells if wanted in ("", each.solution)]
        first = (_number(request, "page") - 1) * _CELLS
        rows = chosen[first : first + _CELLS]
        return self._page(
            request,
            "bundle.html",
            entry=entry,
            verdict=verdict,
            caveats=view.caveats(verdict),
            headline=view.headline(verdict),
            sentences=view.sentences(verdict),
            context=view.context(verdict),
            overall=sorted(verdict.overall, key=lambda each: each.role == "twin"),
            solutions={each.solution: each for each in view.solution_rows(verdict)},
            findings=view.finding_rows(verdict),
            explained=drill.explained(f.code for f in verdict.findings if f.state == "fires"),
            trust=proof.trust(verdict, opened.bundle),
            commands=proof.reproduce(verdict, opened.bundle),
            cells=[(cell, view.cell_row(cell, verdict.tier)) for cell in rows],
            wanted=wanted,
            count=len(chosen),
            number=_number(request, "page"),
            last=max(1, -(-len(chosen) // _CELLS)),
            scale=scale_of(c.speedup for c in rows),
            whole=scale_of(o.speedup for o in verdict.overall),
            before=self._before(entry),
        )

    def _underway(self, request: Request, entry: Entry, opened: Opened) -> Response:
        so_far = opened.underway
        assert so_far is not None
        verdict = None if isinstance(so_far.verdict, Missing) else so_far.verdict
        cells = verdict.cells if verdict else ()
        study = so_far.bundle.study
        failed = [t for t in so_far.traces if t.role != "wrong"]
        failed = [t for t in failed if not isinstance(t.outcome, Passed)]
        findings = view.finding_rows(verdict) if verdict else []
        return self._page(
            request,
            "underway.html",
            follow=_FOLLOW,
            entry=entry,
            run=so_far,
            study=study,
            verdict=so_far.verdict,
            cells=cells[:_MOST],
            left_out=max(0, len(cells) - _MOST),
            sets={w.id: so_far.sets_of(w.id) for w in study.workloads},
            open={w.id for w in study.workloads if so_far.is_open(w.id)},
            findings=[each for each in findings if each.code != _TOO_FEW],
            failed=[(t, samples.said_of(t)) for t in failed[:20]],
            scale=scale_of(each.speedup for each in cells[:_MOST]),
        )

    def cell(self, request: Request) -> Response:
        """Show one comparison down to its samples."""
        entry = self._entry(request)
        opened = self._shelf.open(entry)
        verdict = opened.judged
        cell = drill.cell_of(verdict, _word(request, "workload"), _word(request, "solution"))
        pair = (cell.solution, verdict.baseline)
        found = samples.traces_of(opened.traces, cell.workload, pair)
        visits = samples.visit_rows(found, verdict.tier)
        findings = drill.findings_about(verdict, cell)
        bound = getattr(cell.bound, "code", "")
        return self._page(
            request,
            "cell.html",
            follow=_FOLLOW if opened.underway else None,
            entry=entry,
            verdict=verdict,
            cell=cell,
            row=view.cell_row(cell, verdict.tier),
            findings=findings,
            explained=drill.explained([*(f.code for f in findings), *cell.codes, bound]),
            processes=samples.process_rows(found, verdict.tier),
            visits=visits[: samples.MOST_VISITS],
            left_out=max(0, len(visits) - samples.MOST_VISITS),
            chart=samples.draw_samples(found, cell.solution, verdict.tier),
            so_far=opened.underway is not None,
        )

    def solution(self, request: Request) -> Response:
        """Show one solution: how it was built, proved, and from what."""
        entry = self._entry(request)
        opened = self._shelf.open(entry)
        bundle = opened.bundle
        name = _word(request, "solution")
        solution = drill.solution_of(bundle.study, name)
        return self._page(
            request,
            "solution.html",
            entry=entry,
            name=name,
            solution=solution,
            target=solution.target if isinstance(solution.target, str) else "",
            builds=drill.builds_of(bundle, opened.traces, name),
            sources=drill.sources_of(bundle, solution),
            logs=drill.logs_of(bundle, name),
        )

    def report(self, request: Request) -> Response:
        """Serve the whole report, which needs nothing else, without this page's origin."""
        opened = self._shelf.open(self._entry(request))
        html = render_html(opened.judged, opened.bundle)
        return HTMLResponse(html, headers={"content-security-policy": REPORT_POLICY})

    def compare(self, request: Request) -> Response:
        """Compare two bundles: first whether they may be."""
        names = request.query_params.getlist("with")[:2]
        if len(names) < 2:
            return self._page(request, "choose.html", 400)
        a, b = (self._shelf.entry(name) for name in names)
        if a.summary is None or b.summary is None or a.digest == b.digest:
            return self._page(request, "choose.html", 409, a=a, b=b)
        found = compare_sides([a.summary], [b.summary])
        order = sorted(found.differences, key=lambda each: not each.voids)
        return self._page(
            request,
            "compare.html",
            a=a,
            b=b,
            found=found,
            differences=order,
            mends=list(dict.fromkeys(d.mend for d in order if d.voids and d.mend)),
            notes=list(comparisons.spread_sentences(found)),
            scale=scale_of(each.times for each in (*found.overall, *found.cells)),
            cells=found.cells[:_MOST_COMPARED],
        )

    def loop(self, request: Request) -> Response:
        """Show a loop, also while it runs."""
        now, name = self._shelf.now(), _word(request, "at")
        loops = self._loops(now)
        if name not in loops:
            raise HTTPException(404, "there is no such loop in the folder")
        found = read_loop(loops[name])
        steps = [each for each in now.entries.values() if each.loop == name]
        return self._page(
            request,
            "loop.html",
            follow=_FOLLOW,
            name=name or self._shelf.title,
            view=found,
            chart=found.chart,
            underway=[each for each in steps if each.is_underway],
            steps={
                each.name.removeprefix(f"{name}/") if name else each.name: each for each in steps
            },
        )

    def rule(self, request: Request) -> Response:
        """Explain a code."""
        code = _word(request, "code").upper()
        if not drill.is_code(code):
            raise HTTPException(404, f"there is no code {code[:40]!r}")
        return self._page(request, "rule.html", code=code, text=drill.explanation(code))

    def static(self, request: Request) -> Response:
        """Serve a file that all pages share."""
        name = request.path_params["name"]
        if name not in STATIC:
            raise HTTPException(404, "there is no such file")
        return Response(
            static(name), media_type=STATIC[name], headers={"cache-control": "max-age=3600"}
        )

    async def failed(self, request: Request, error: Exception) -> Response:
        """Say what went wrong."""
        if isinstance(error, HTTPException):
            status, fact = error.status_code, error.detail
        else:
            status = 500
            fact = f"a defect of roofmark, please report it: {type(error).__name__}: {error}"
        return self._page(request, "message.html", status, title="No", problems=(), fact=fact)

    # --- helpers ---------------------------------------------------------------------------------
    def _page(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        follow: float | None = None,
        **values: Any,
    ) -> Response:
        """Return a page, or nothing when the reader has it already."""
        values = {"a": None, "b": None, "fact": "", "chart": None} | values
        html = render(template, folder=self._shelf.title, follow=follow, **values)
        mark = f'"{digest(html.encode("utf-8", "replace"))[:32]}"'
        headers = {"etag": mark}
        if status == 200 and request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers=headers)
        return HTMLResponse(html, status, headers=headers)

    def _entry(self, request: Request) -> Entry:
        return self._shelf.entry(_word(request, "at"))

    def _before(self, entry: Entry) -> Entry | None:
        """Return the bundle of the same study that was made before this one."""
        made = getattr(entry.started, "real", None)
        known = [e for e in self._shelf.now().entries.values() if e.title == entry.title]
        older = [
            (e.started, e.name, e)
            for e in known
            if made is not None and isinstance(e.started, float | int) and e.started < made
        ]
        return max(older, default=(0.0, "", None), key=lambda each: each[:2])[2]

    def _loops(self, now: Snapshot) -> dict[str, Path]:
        """Return the folders of the loops whose steps lie on the shelf, by name."""
        found: dict[str, Path] = {}
        for each in now.entries.values():
            if each.loop is None or each.loop in found or each.state == "damaged":
                continue
            with contextlib.suppress(RoofmarkError, OSError):
                up = 0 if each.name.rpartition("/")[2] == "start" else 2
                folder = self._shelf.path(each).parents[up]
                if is_loop(folder):
                    found[each.loop] = folder
        return found

    def _loop_or_why(self, folder: Path) -> LoopView | str:
        try:
            return read_loop(folder)
        except BundleError as error:
            return error.problems[0].fact


def _word(request: Request, name: str) -> str:
    return request.query_params.get(name, "")


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
