"""Import one source file by its path, without giving it a name that shadows a package.

In: a folder and a relative path. Out: the module. The folder is appended to `sys.path`, never put
in front, so a study's `triton.py` can itself import the installed `triton`.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_PLACES: list[str] = []
"""What this module has added to sys.path."""


def import_file(folder: Path, path: str) -> ModuleType:
    """Import `folder/path` once, under a name of its own; whatever it raises is passed on.

    An entry and its `prepare` in one file share that module, as they would in any program. What was
    imported from another folder before is forgotten: a process that tries one solution after the
    other must not give the second the first one's neighbours.
    """
    file = folder / path
    _forget_others(folder)
    for place in (str(file.parent), str(folder)):
        if place not in sys.path:
            sys.path.append(place)
            _PLACES.append(place)
    name = "roofmark_source_" + path.removesuffix(".py").replace("/", "_").replace("-", "_")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file):
        return known
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python source file")
    module = importlib.util.module_from_spec(spec)
    # Before execution: dataclasses and Triton look their own module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _forget_others(folder: Path) -> None:
    stale = [place for place in _PLACES if not Path(place).is_relative_to(folder)]
    for place in stale:
        _PLACES.remove(place)
        sys.path.remove(place)
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if origin is not None and Path(origin).is_relative_to(place):
                del sys.modules[name]
