"""Rules: one health, integrity or bound rule per file; this package finds and applies them.

In: a `Case` (everything known about a study). Out: findings. A rule is a function decorated with
`@rule`; its parameters name the facts it needs (facts.py), its docstring is its documentation.
"""

# Imported for the facts that it registers, before any rule asks for them.
from roofmark.analysis.rules import counted as counted
from roofmark.analysis.rules import leg_facts as leg_facts
from roofmark.analysis.rules import machine_facts as machine_facts
from roofmark.analysis.rules.case import Case
from roofmark.analysis.rules.engine import Note as Note
from roofmark.analysis.rules.engine import (
    Rule,
    all_rules,
    apply_rules,
    explain,
    loaded_plugins,
    rule,
)

__all__ = ["Case", "Note", "Rule", "all_rules", "apply_rules", "explain", "loaded_plugins", "rule"]
