"""What can be wrong with a bundle, told in four parts; apart from the code that finds it.

In: what was found and where. Out: `BundleError`, to be raised by bundle.py.
"""

from pathlib import Path

from roofmark import __version__
from roofmark.errors import BundleError, Problem
from roofmark.records import FORMAT


def being_written(path: Path) -> BundleError:
    """Another process holds the folder's lock."""
    return BundleError(
        Problem(
            code="RM406",
            fact="another run is writing this bundle",
            where=str(path),
            meaning="Two runs in one folder would mix their evidence.",
            mend="Wait for it to end, or name another folder with -o.",
        )
    )


def not_a_bundle(path: Path, why: str) -> BundleError:
    """The folder is no bundle, or no bundle that could be opened safely."""
    return BundleError(
        Problem(
            code="RM401",
            fact=f"not a bundle: {why}",
            where=str(path),
            mend="Name the folder that `roofmark run` wrote; it holds a manifest.json.",
        )
    )


def unsealed(path: Path) -> BundleError:
    """The run was interrupted."""
    return BundleError(
        Problem(
            code="RM403",
            fact="the bundle is not sealed",
            where=str(path),
            meaning="Its run was interrupted: the traces in it are whole, but more were asked for.",
            mend=f"Continue it: roofmark run --resume {path}",
        )
    )


def damaged(wrong: list[str], path: Path | str) -> BundleError:
    """The bytes are not those that were sealed; one problem for each file."""
    return BundleError(
        *(
            Problem(
                code="RM404",
                fact=sentence,
                where=str(path),
                meaning="The bundle differs from what was sealed; nothing in it is believed.",
                mend="Take the bundle from its source again.",
            )
            for sentence in wrong
        )
    )


def too_new(path: Path, version: int, writer: str) -> BundleError:
    """A later version wrote it."""
    return BundleError(
        Problem(
            code="RM405",
            fact=f"the bundle has format {version}; this roofmark reads up to {FORMAT}",
            where=str(path),
            meaning=f"It was written by roofmark {writer}; this is {__version__}.",
            mend="Update roofmark.",
        )
    )


def not_ours(names: list[str], path: Path) -> BundleError:
    """Files that a reader would refuse lie in the folder."""
    shown = ", ".join(repr(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
    return BundleError(
        Problem(
            code="RM414",
            fact=f"{len(names)} files in the folder are not the run's: {shown}",
            where=str(path),
            meaning="Everything in a sealed bundle is evidence, and these could not be read back.",
            mend=f"Move them away and seal it with: roofmark run --resume {path}",
        )
    )


def sealed_already(path: Path) -> BundleError:
    """A finished bundle is in the way."""
    return BundleError(
        Problem(
            code="RM407",
            fact="a sealed bundle is already there",
            where=str(path),
            meaning="A sealed bundle is never changed.",
            mend="Name another folder with -o, or pass --force to delete it first.",
        )
    )


def cannot_write(path: Path, error: OSError) -> BundleError:
    """The operating system refused to write."""
    return BundleError(
        Problem(
            code="RM408",
            fact=f"cannot write: {error.strerror or error}",
            where=str(path),
            meaning="Traces that were finished before are whole and stay.",
            mend="Make room (or mend the permission) and continue with: roofmark run --resume.",
        )
    )
