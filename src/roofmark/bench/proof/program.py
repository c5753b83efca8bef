"""What a library does, as a digest: the same for two builds that differ in names alone.

In: the bytes of a library. Out: sha256 over what the loader maps. nvcc names what is local to a
file by a hash of its text, and the linker writes an id and local symbols: a comment changes them
all, and not one instruction. (Source: `--gen_module_id_file` of cudafe++, in `nvcc --dryrun`.)
"""

import hashlib
import re

from roofmark.bench.proof.elf import MAPPED, parse_elf

_MODULE = re.compile(rb"_GLOBAL__N__[0-9a-f]{8}_")
_NO_HASH = b"_GLOBAL__N__00000000_"
_LABEL = ".note.gnu.build-id"


def program_digest(library: bytes) -> str:
    """Return a sha256 over names and bytes of all sections that are mapped, labels left out.

    Raises: ValueError when it is no readable library.
    """
    total = hashlib.sha256()
    for section in parse_elf(library).sections:
        if section.flags & MAPPED and section.name != _LABEL:
            data = _MODULE.sub(_NO_HASH, section.data)
            total.update(f"{section.name} {section.size} {len(data)}\n".encode())
            total.update(data)
    return total.hexdigest()
