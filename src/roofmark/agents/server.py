"""The server: requests on stdin, answers on stdout, nothing else on stdout.

In: a root, a device. Out: the protocol, until the client closes it. An error comes back as its four
parts, never as a traceback.
"""

import json
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from roofmark import __version__
from roofmark.agents.child import Done, run_command
from roofmark.agents.tools import TOOLS, Desk, Device, limit_of, read_result
from roofmark.bench.scratch import open_scratch
from roofmark.codes import problem
from roofmark.errors import Problem, RoofmarkError

_PARTS = ("code", "fact", "where", "meaning", "mend")
_INSTRUCTIONS = (
    "Describe a study first, then evaluate candidates: change only files in `sources`, one idea "
    "at a time, and read each outcome's bound and advice before the next."
)


def serve(root: Path, device: Device) -> None:
    """Serve until stdin closes. root: an existing folder."""
    anyio.run(_serve, root.resolve(), device)


async def _serve(root: Path, device: Device) -> None:
    async def list_tools(
        _context: ServerRequestContext[Any], _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed())

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await _answer(context, params, root, device)

    server = Server(
        "roofmark",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def listed() -> list[types.Tool]:
    """Return the tools as a client sees them."""
    return [
        types.Tool(
            name=name,
            description=tool.description,
            input_schema=tool.schema(),
            annotations=types.ToolAnnotations(
                read_only_hint=not tool.writes, destructive_hint=False, open_world_hint=False
            ),
        )
        for name, tool in TOOLS.items()
    ]


async def _answer(
    context: ServerRequestContext[Any],
    params: types.CallToolRequestParams,
    root: Path,
    device: Device,
) -> types.CallToolResult:
    count, errors = 0, False

    async def said(line: str) -> None:
        nonlocal count, errors
        errors = errors or line == "{"
        if errors:  # they come back as the answer
            return
        count += 1
        await context.session.report_progress(count, None, line[:500])

    try:
        tool = TOOLS.get(params.name)
        if tool is None:
            mend = f"Call one of {', '.join(TOOLS)}."
            raise RoofmarkError(problem("RM451", f"no tool {params.name[:200]!r}", "name", mend))
        arguments = tool.read(params.arguments or {})
        with open_scratch() as scratch:
            words = tool.words(arguments, Desk(root, device, scratch))
            done = await run_command([*words, "--json"], limit=limit_of(arguments), said=said)
    except RoofmarkError as error:
        return _refused([_parts(each) for each in error.problems])
    except OSError as error:
        mend = "See the server's machine: memory, disk, processes."
        return _refused([_parts(problem("RM453", str(error), params.name, mend))])
    return _told(params.name, done)


def _told(name: str, done: Done) -> types.CallToolResult:
    """Return a command's JSON, or its errors."""
    if done.timed_out:
        mend = "Give a larger limit; for an evaluation, call again with any candidate to finish it."
        return _refused([_parts(problem("RM452", "it was cut at its limit", name, mend))])
    found = read_result(done.out.decode("utf-8", "replace"))
    if found is not None:
        return _result(found, failed=False)
    errors = read_result(done.err.decode("utf-8", "replace"))
    if errors is not None and "errors" in errors:
        return _result(errors, failed=True)
    mend = "Run the same as a roofmark command to see what it says."
    return _refused([_parts(problem("RM453", f"it ended with code {done.code}", name, mend))])


def _parts(each: Problem) -> dict[str, str]:
    return {part: getattr(each, part) for part in _PARTS}


def _refused(problems: list[dict[str, str]]) -> types.CallToolResult:
    return _result({"errors": problems}, failed=True)


def _result(found: dict[str, Any], *, failed: bool) -> types.CallToolResult:
    text = types.TextContent(type="text", text=json.dumps(found))
    return types.CallToolResult(content=[text], structured_content=found, is_error=failed)
