"""git, asked politely: one command in one folder, with git's own last words when it refuses.

In: a folder and the words of a command. Out: what it prints. Nothing is locked or refreshed that
the command does not need, so a look at a repository leaves it as it was.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Chosen: a hook or a filter that runs for longer is stuck; git itself takes milliseconds.
_LIMIT_SECONDS = 600.0


class GitFailed(Exception):
    """git cannot be used, or refused; the message says why."""


def run_git(
    folder: Path, *words: str, variables: Mapping[str, str] | None = None, given: str = ""
) -> str:
    """Return what `git WORDS` prints in `folder`. given: its standard input. Raises: GitFailed."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            input=given,
            timeout=_LIMIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", **(variables or {})},
        )
    except (OSError, UnicodeError, subprocess.TimeoutExpired) as error:
        raise GitFailed(f"git cannot be used: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise GitFailed(f"git {words[0]}: {said[-1]}")
    return done.stdout
