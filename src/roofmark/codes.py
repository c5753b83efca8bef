"""Every error code that is raised rather than found by a rule, explained once.

In: nothing. Out: `ERRORS`, which `roofmark rules RM104` and docs/reference/errors.md show, and from
which problems take their meaning. Rules (RM110, RM111, most of
RM3xx, RM5xx, RM6xx) explain themselves in analysis/rules.
"""

from typing import NamedTuple

from roofmark.errors import Problem


class Code(NamedTuple):
    """A title for lists, and what the code means for whoever meets it."""

    title: str
    meaning: str


ERRORS: dict[str, Code] = {
    "RM101": Code(
        "the study cannot be loaded",
        "study.py is Python; roofmark runs it once to read the study.",
    ),
    "RM102": Code(
        "a source file cannot be taken",
        "A study is measured from its own folder's files, so that a bundle can keep them.",
    ),
    "RM103": Code(
        "a field holds something that it cannot hold",
        "A study is data: it is stored, hashed and read back before anything is measured.",
    ),
    "RM104": Code(
        "a name stands for two things",
        "Results are filed by name, so one would overwrite the other.",
    ),
    "RM105": Code(
        "the baseline is not one of the solutions",
        "Every speed-up is a ratio to the baseline.",
    ),
    "RM106": Code(
        "there is nothing to measure",
        "A study without solutions or without workloads would pass for a result.",
    ),
    "RM107": Code(
        "a solution returned something else than declared",
        "Outputs must have the dtype, shape and device that the definition declares; a conversion "
        "on the way would hide time and error.",
    ),
    "RM108": Code(
        "a workload does not bind the axes",
        "A workload gives a size to exactly those axes that the definition leaves open (VAR).",
    ),
    "RM109": Code(
        "a shape or a cost cannot be computed",
        "Shapes and costs are integer arithmetic over the axes: names, integers, + - * // and ().",
    ),
    "RM112": Code(
        "the reference failed",
        "Without a reference nothing can be checked, so nothing is measured.",
    ),
    "RM113": Code(
        "a name cannot be a parameter",
        "Inputs, scalars and outputs are passed by name, so each needs a Python name of its own.",
    ),
    "RM114": Code(
        "values do not fit their tensor",
        "What would be drawn could not be stored, or would be something else once stored.",
    ),
    "RM115": Code(
        "a tensor says what only the other side can",
        "Inputs are drawn and have values; outputs are compared and have a tolerance.",
    ),
    "RM116": Code(
        "`mutable` or `weights` do not name inputs",
        "Only an input can be changed by a solution, or stay the same from call to call; one that "
        "is changed does not stay the same, and one at least has to change.",
    ),
    "RM117": Code(
        "an entry is not `file::function`",
        "The file's suffix declares the language: .py, .cpp, .cc or .cu.",
    ),
    "RM118": Code(
        "an entry is not in its file",
        "The function would be missing when the solution is loaded.",
    ),
    "RM119": Code(
        "a function does not take what it is given",
        "A function names all inputs and scalars, and either all outputs or none.",
    ),
    "RM120": Code(
        "a rule is not sound",
        "A rule with a code that is taken, without documentation, or about an unknown fact would "
        "judge nothing or judge wrongly.",
    ),
    "RM121": Code("there is no such rule", "Codes are listed by `roofmark rules`."),
    "RM123": Code(
        "a device, target or flag does not fit the language",
        "What is declared here could not be built, or would be ignored without a word.",
    ),
    "RM124": Code(
        "the protocol contradicts itself",
        "No run could follow it.",
    ),
    "RM125": Code(
        "a code cannot be accepted",
        "A study may accept health findings (RM3xx) alone; wrong results and broken proofs never.",
    ),
    "RM126": Code(
        "a solution never meets the baseline",
        "Both are measured side by side on one device; there is none on which both run.",
    ),
    "RM127": Code(
        "a workload's id cannot name a file",
        "Traces are filed by workload id: letters, digits and . _ + -, at most 64 of them.",
    ),
    "RM128": Code(
        "a workload is larger than any device",
        "One call's tensors would not fit in memory; most often an axis has a wrong size.",
    ),
    "RM130": Code(
        "a filter matches nothing",
        "A filter that matches nothing would pass for a measurement.",
    ),
    "RM131": Code("a dtype is not known", "Dtypes are torch's names, without `torch.`."),
    "RM132": Code(
        "a solution waits for one that cannot come first",
        "`after` names a solution of the study that runs on the same devices and does not wait "
        "for this one.",
    ),
    "RM133": Code(
        "a contrast does not name two solutions",
        "A contrast is the ratio between two different solutions of the study.",
    ),
    "RM134": Code(
        "an exact reference is a solution's own code",
        "It says what is right, so it runs where no solution's code does.",
    ),
    "RM135": Code(
        "a loop cannot change this solution",
        "A proposer changes the solution's own text files; nothing that judges it may be in them.",
    ),
    "RM136": Code(
        "a search cannot be made",
        "A search needs Optuna, and params that study.py gives the solution as plain integers: "
        "what a kept candidate commits is their new values there.",
    ),
    "RM138": Code(
        "a leg and its study do not fit",
        "A study of serving engines has legs for solutions, loads for workloads, and one of its "
        "own tiers decides.",
    ),
    "RM139": Code(
        "a leg could not be asked",
        "Questions need a leg that answers; without one there is nothing to compare.",
    ),
    "RM330": Code(
        "the baseline is not there",
        "Every speed-up is a ratio to the baseline; without it nothing is measured.",
    ),
    "RM331": Code(
        "there is no GPU",
        "The run was asked for a device that is not here; `roofmark doctor` says why.",
    ),
    "RM332": Code(
        "there is nothing to profile",
        "Counters exist for kernels on a GPU, and explain only what was found right there.",
    ),
    "RM333": Code(
        "a loop has nothing to beat",
        "A candidate is measured against the study's own solution, which must be right and run.",
    ),
    "RM340": Code(
        "there is no such fleet",
        "A fleet is several GPUs of this host, slots of its cores, or a Ray cluster that runs.",
    ),
    "RM341": Code(
        "no station can measure",
        "A station takes part when it holds a device alone and is like the others.",
    ),
    "RM342": Code(
        "the fleet was lost",
        "A process set is kept whole or not at all; those that were kept are in the bundle.",
    ),
    "RM401": Code(
        "not a bundle",
        "A bundle is the folder that `roofmark run` wrote; it holds a manifest.json.",
    ),
    "RM402": Code(
        "a file is not a record",
        "The file was changed, cut short, or written by another version.",
    ),
    "RM403": Code(
        "the bundle is not sealed",
        "Its run was interrupted: the traces in it are whole, but more were asked for.",
    ),
    "RM404": Code(
        "the bundle is damaged",
        "The bundle differs from what was sealed; nothing in it is believed.",
    ),
    "RM405": Code(
        "the bundle is newer than this roofmark",
        "Its format has fields that this version cannot know.",
    ),
    "RM406": Code(
        "another run is writing this bundle",
        "Two runs in one folder would mix their evidence.",
    ),
    "RM407": Code("a sealed bundle is in the way", "A sealed bundle is never changed."),
    "RM408": Code(
        "the bundle cannot be written",
        "The disk is full or the folder is closed to us; finished traces are whole and stay.",
    ),
    "RM409": Code(
        "a file is in the way",
        "Nothing that exists is overwritten unless --force says so.",
    ),
    "RM410": Code(
        "a run was resumed on another machine",
        "Samples of two machines in one bundle cannot be told apart.",
    ),
    "RM411": Code("an interrupted run is in this folder", "Its finished traces would be lost."),
    "RM412": Code(
        "there is nothing to resume",
        "The folder holds no interrupted run: none began there, or it was sealed.",
    ),
    "RM413": Code("a report has no form", "The suffix chooses it: .html, .md or .svg."),
    "RM414": Code(
        "a stranger's file is in the bundle's folder",
        "Everything in a sealed bundle is evidence, and such a file could not be read back.",
    ),
    "RM415": Code(
        "the format of a foreign file is not known",
        "A format is told by a file's own bytes; none of the importers recognises these.",
    ),
    "RM416": Code(
        "a foreign file is malformed",
        "What follows the damage cannot be trusted, and a part would pass for the whole.",
    ),
    "RM417": Code(
        "a foreign file is too large",
        "It is read within bounds of memory and time, so that no file can take the machine down.",
    ),
    "RM418": Code(
        "a foreign file records a failure",
        "The tool said that it did not finish; what it wrote is no measurement.",
    ),
    "RM419": Code(
        "a foreign file does not say what its numbers are",
        "A time without its unit or its column is off by a factor of a thousand, or is no time.",
    ),
    "RM420": Code(
        "another tool's format has no counterpart",
        "What one format says the other cannot; the rest of it would pass for the whole.",
    ),
    "RM421": Code(
        "a kept candidate cannot be committed",
        "The commit holds exactly the solution's files, on top of the incumbent's.",
    ),
    "RM422": Code(
        "another loop is in this folder",
        "A loop goes on with the study, the solution and the error budget that it began with.",
    ),
    "RM423": Code(
        "a loop's own files were changed",
        "A loop measures from its own copies; with others its tries would not be of one study.",
    ),
    "RM425": Code(
        "evidence cannot be set side by side",
        "Both sides of a comparison hold the same kind of figures, each run once.",
    ),
    "RM430": Code(
        "a bundle is not fit to be pinned",
        "Every later gate leans on a pin: one from a bad day lets slow-downs through, one from a "
        "lucky day fails ordinary days.",
    ),
    "RM431": Code(
        "a bundle was measured on a depressed device",
        "The device reached less of its datasheet than a healthy one does, so what was measured "
        "on it is no yardstick.",
    ),
    "RM432": Code(
        "a pin is replaced without a reason",
        "Whoever moves the yardstick says why; the reason and the change stay in the file.",
    ),
    "RM433": Code(
        "a file is not a pin",
        "It is none that `roofmark pin` wrote, or it was changed since.",
    ),
    "RM434": Code(
        "a bundle and a pin cannot be compared",
        "They answer different questions or come from different kinds of device; a ratio between "
        "them would say nothing about the code.",
    ),
    "RM435": Code(
        "two revisions answer different questions",
        "Only what is asked alike (contract, reference, workload) can be compared; a ratio between "
        "two questions says nothing about the code.",
    ),
    "RM436": Code(
        "a revision cannot be had",
        "A gate between two revisions takes the other one from the git repository that holds the "
        "study.",
    ),
    "RM437": Code(
        "a gain cannot be predicted",
        "A prediction needs the kernel's own speed-up and the kernel table of a leg that runs it.",
    ),
    "RM440": Code(
        "no run could have written this",
        "The bytes are as they were sealed, but what they say cannot have been measured: a seal "
        "can be made by anybody, a signature by the holder of a key alone.",
    ),
    "RM441": Code(
        "nobody signed the bundle",
        "Its bytes are whole, but anybody could have sealed them.",
    ),
    "RM442": Code(
        "nobody whom you named signed the bundle",
        "It is signed, by keys that are not among those to be believed, or not at that time.",
    ),
    "RM443": Code(
        "a signature does not fit",
        "The signature or its statement was changed, or made with another key than it names.",
    ),
    "RM444": Code(
        "a signature is about another bundle",
        "It was copied here: its signer vouched for something else.",
    ),
    "RM445": Code(
        "a key cannot be used",
        "Bundles are signed with Ed25519 keys in OpenSSH's or OpenSSL's files, through the package "
        "cryptography.",
    ),
    "RM446": Code(
        "the verdict does not follow from the bundle",
        "Judged again here, the same bytes say something else.",
    ),
    "RM447": Code(
        "the verdict is about another bundle",
        "A verdict cites the bundle that it was made from by its digest.",
    ),
    "RM450": Code(
        "a path leads outside the served folder",
        "An agent's requests reach what lies under --root, links followed, and nothing else.",
    ),
    "RM451": Code(
        "a request cannot be read",
        "A tool takes exactly the arguments that it describes.",
    ),
    "RM452": Code(
        "a request did not end in its time",
        "What was measured is kept; a candidate that was being measured is finished first by the "
        "next evaluation, since one that is dropped would be a free throw of the dice.",
    ),
    "RM453": Code(
        "a request failed",
        "The command behind the tool ended without a result.",
    ),
    "RM454": Code(
        "there is nothing to request a pull for",
        "A pull request claims a gain; without a confirmed one there is no claim.",
    ),
    "RM470": Code(
        "an extra is not installed",
        "What few need is not installed with roofmark; one command adds it.",
    ),
    "RM471": Code(
        "an address cannot be read",
        "Bundles at an address are read through fsspec, by whose rules it is written.",
    ),
    "RM472": Code(
        "a query cannot be answered",
        "It names what does not exist, is no SQL that DuckDB reads, or needs too much.",
    ),
    "RM473": Code(
        "a query does more than read",
        "A query is one SELECT over the tables of the bundles; files, other databases, extensions, "
        "settings and the network are closed to it.",
    ),
    "RM474": Code(
        "the tables of a query cannot be written",
        "A query is answered from tables in the cache folder, which are made once. Bundles are not "
        "touched.",
    ),
    "RM480": Code(
        "the viewer cannot listen",
        "`roofmark view` serves pages on a port of 127.0.0.1, which another program may have.",
    ),
    "RM481": Code(
        "the viewer has nothing of that name",
        "An address of the viewer names what lies in its folder now, and never a path.",
    ),
}


def problem(code: str, fact: str, where: str, mend: str) -> Problem:
    """Return a problem whose meaning is that of its code."""
    return Problem(code=code, fact=fact, where=where, meaning=ERRORS[code].meaning, mend=mend)
