"""Import one source file by its path, without giving it a name that shadows a package.

In: a folder and a relative path. Out: the module. The folder is appended to `sys.path`, never put
in front, so a study's `triton.py` can itself import the installed `triton`.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def import_file(folder: Path, path: str) -> ModuleType:
    """Import `folder/path` under a name of its own; whatever it raises is passed on."""
    file = folder / path
    for place in (str(file.parent), str(folder)):
        if place not in sys.path:
            sys.path.append(place)
    name = "roofmark_source_" + path.removesuffix(".py").replace("/", "_").replace("-", "_")
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python source file")
    module = importlib.util.module_from_spec(spec)
    # Before execution: dataclasses and Triton look their own module up by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
