"""Every code that roofmark prints, apart from the rules' own, with what it means.

In: nothing. Out: one table, so that `roofmark rules CODE` can explain an error as it explains a
finding. A test holds it against the codes that the sources raise.
"""

ERRORS: dict[str, tuple[str, str]] = {
    "RM101": (
        "the study cannot be loaded",
        "study.py raised, does not parse, or defines no `study`. The line is named.",
    ),
    "RM102": (
        "a source cannot be taken",
        "A file that the study names is missing, special, too large, or outside the study's "
        "folder. A bundle keeps every source, so every source must be a regular file in it.",
    ),
    "RM103": (
        "a field has the wrong type",
        "The study does not fit its records: a wrong type, an unknown field, a value out of range.",
    ),
    "RM104": (
        "a name is wrong or taken",
        "Names of solutions, workloads and tensors become file names and arguments; they are "
        "unique (whatever their case) and, for tensors and scalars, Python identifiers.",
    ),
    "RM105": (
        "axes, shapes or costs do not fit",
        "A workload binds exactly the axes that the definition leaves open, to positive integers; "
        "shapes and costs are integer arithmetic over axes.",
    ),
    "RM106": (
        "dtypes, values or tolerances do not fit",
        "Integer tensors draw from Integers, floating ones from Normal or Uniform; outputs carry "
        "tolerances, inputs carry values, never the other way round.",
    ),
    "RM107": (
        "a solution returned something else than the definition declares",
        "Type, dtype, shape and device of each output are part of the definition. A subclass of "
        "torch.Tensor is refused: it could compute when it is looked at.",
    ),
    "RM108": (
        "an entry cannot be used",
        "An entry is `file::function`; the file has a known suffix, parses, and defines the "
        "function with the definition's inputs and scalars (and all outputs, or none).",
    ),
    "RM109": (
        "baseline, devices or protocol contradict each other",
        "The baseline is one of the solutions; targets and devices fit the language; the fewest "
        "processes are not more than the most.",
    ),
    "RM112": (
        "the reference failed",
        "The study's reference raised, or returned other shapes than declared. Without it nothing "
        "can be checked, so nothing is measured.",
    ),
    "RM130": (
        "a filter matches nothing",
        "A pattern over workloads or a solution's name matched nothing; going on would measure "
        "something else than was asked.",
    ),
    "RM330": (
        "the baseline is not there",
        "Every speed-up is a ratio to the baseline. It is skipped on this device or did not build.",
    ),
    "RM331": ("there is no GPU", "The study was to run on CUDA and the driver shows no device."),
    "RM401": ("not a bundle", "The folder holds no manifest, or files that no bundle holds."),
    "RM402": (
        "a record cannot be read",
        "A file is not the record that it should be: changed, cut short, or of another version.",
    ),
    "RM403": ("the bundle is not sealed", "Its run was interrupted; it can be resumed."),
    "RM404": (
        "the bundle is damaged",
        "A file was changed, is missing, or was added after the bundle was sealed.",
    ),
    "RM405": ("the bundle is newer than this roofmark", "Update roofmark to read it."),
    "RM406": ("another run writes this bundle", "Two runs in one folder would mix evidence."),
    "RM407": ("a sealed bundle is already there", "A sealed bundle is never changed."),
    "RM408": (
        "a file of the bundle cannot be written",
        "Disk full or no permission. Traces that were finished before are whole; resume after.",
    ),
    "RM409": ("a report is already there", "Nothing is overwritten without --force."),
    "RM410": (
        "another machine than the one that began",
        "Samples of two machines in one bundle could not be told apart.",
    ),
    "RM411": ("an interrupted run is in the way", "Its finished traces would be lost."),
    "RM412": ("nothing to resume", "The folder holds no interrupted run."),
}
