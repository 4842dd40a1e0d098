"""Weights under other names than any library's, renamed by rules that a person gives.

A rule is `old=new`, which changes the beginning of every name that begins with `old`, or
`/pattern/=new`, a regular expression wherever it occurs (`\\1` is its first group). Rules apply one
after another. It runs in the process that reads the file: a pattern may take for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from core.errors import InputError
from core.wording.amounts import some

MOST_RULES = 20
LONGEST_RULE = 300

Value = TypeVar("Value")


class WrongChoice(InputError):  # noqa: N818
    """What a person chose does not go with the file, which may be as good as any."""


def renamed(tensors: Mapping[str, Value], rules: Sequence[str]) -> dict[str, Value]:
    """Raises WrongChoice for what is no rule, changes nothing, or gives two weights one name."""
    found = dict(tensors)
    if len(rules) > MOST_RULES:
        raise WrongChoice(f"{len(rules)} rules to rename weights; at most {MOST_RULES} are taken.")
    for rule in rules:
        found = _by_rule(found, rule)
    return found


def _by_rule(tensors: dict[str, Value], rule: str) -> dict[str, Value]:
    regular = re.fullmatch(r"/(.+)/=(.*)", rule)
    old, equals, new = rule.partition("=")
    if len(rule) > LONGEST_RULE or not (regular or (equals and (old or new))):
        raise WrongChoice(
            f'--rename {rule[:60]!r} is no rule; write "old=new" for the beginning of names, or '
            f'"/pattern/=new", in at most {LONGEST_RULE} characters.'
        )
    found: dict[str, Value] = {}
    for name, tensor in tensors.items():
        if regular:
            changed = _replaced(regular[1], regular[2], name, rule)
        else:
            changed = new + name[len(old) :] if name.startswith(old) else name
        if changed in found:
            raise WrongChoice(f"--rename {rule[:60]!r} gives two weights the name {changed[:80]}.")
        found[changed[:1000]] = tensor
    if found.keys() == tensors.keys():
        raise WrongChoice(
            f"--rename {rule[:60]!r} changes no name; names are {some(list(tensors), 3)}."
        )
    return found


def _replaced(pattern: str, new: str, name: str, rule: str) -> str:
    try:
        return re.sub(pattern, new, name)
    except (re.error, IndexError, OverflowError, RecursionError) as error:
        raise WrongChoice(f"--rename {rule[:60]!r}: {error}.") from error
