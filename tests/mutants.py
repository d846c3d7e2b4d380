"""What can be broken in an SQL file, one thing at a time: the mutants that `tests/mutate.py` tries.

A mutant is a change of the file's text. The files are read with sqlfluff, which lints them anyway: it knows the grammar
of PostgreSQL and our `{places}`, and says where in the file each part stands, so that the rest stays as it is.

| part | becomes |
| --- | --- |
| the condition of a `when`, of `where`, `having` and `filter` | its opposite |
| the result of a `when`, an `else`, an expression of a select list | NULL of the same type |
| an argument of `coalesce` | left out |
| a comparison, `and`, `or`, `+`, `-`, `*`, `/`, `asc`, `desc` | its opposite |
| a function such as `lower` or `abs` | its first argument |
| a text, a number, an interval, a time zone | another |
| `not`, `distinct` | left out; `is distinct from` turned around |

The same break is not made twice. Where a condition is one comparison, the comparison's opposite stands for that of the
condition; the parts of a `case` and of a `coalesce` stand for the whole; and a constant that is left out of a
`coalesce` is not changed as well. In each pair, a test that notices the first notices the second too. The 0 in
`position(…) > 0` stays: only a text that begins with what is looked for would tell it from 1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

OPPOSITES = {
    "=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">",
    "and": "or", "or": "and", "+": "-", "-": "+", "*": "/", "/": "*", "asc": "desc", "desc": "asc",
    "true": "false", "false": "true",
}  # fmt: skip
OPERATORS = ("comparison_operator", "binary_operator", "keyword", "boolean_literal")
LEFT_OUT = ("not", "distinct")
COMPARED = ("=", "<>", "<", ">=", ">", "<=", "and", "or", "true", "false", *LEFT_OUT)
CONDITIONS = ("where_clause", "having_clause", "filter_clause")
UNWRAPPED = (
    "abs",
    "greatest",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "nullif",
    "replace",
    "right",
    "round",
    "trim",
    "trunc",
)
# What has no value of its own: `select 1` in an `exists`, and the hint of a common table expression.
NO_VALUE = ("materialized",)
POSITION = re.compile(r"position\(.*\) > \Z")
# Texts of which another text would be refused, each with what it becomes.
OTHER_TEXTS = (
    (re.compile(r"'UTC'"), "'Asia/Kolkata'"),
    (re.compile(r"'America/Los_Angeles'"), "'Asia/Kolkata'"),
    (re.compile(r"'(NaN|-?Infinity)'"), "'7'"),
    (re.compile(r"'\{\{\}\}'"), """'{{"mutant": 1}}'"""),
    (re.compile(r"'(\d+ (?:second|minute|hour|day|month).*)'"), r"'1\1'"),
)


@dataclass(frozen=True)
class Mutant:
    """One change of a file: the text from `start` to `stop` is replaced."""

    path: str
    start: int
    stop: int
    before: str
    after: str
    line: int

    def apply(self, text: str) -> str:
        """Return the file's text with the change."""
        return text[: self.start] + self.after + text[self.stop :]

    def __str__(self) -> str:
        before = " ".join(self.before.split())
        after = " ".join(self.after.replace(self.before, "…").split()) or "nothing"
        return f"{self.path}:{self.line}: {before} -> {after}"


def mutants_of(path: str, text: str) -> list[Mutant]:
    """Return the mutants of an SQL file in the order of their places; raises `ValueError` where it cannot be read."""
    tree = _linter().parse_string(text, fname=path).tree
    if tree is None or any(tree.recursive_crawl("unparsable")):
        raise ValueError(f"{path}: sqlfluff cannot read it")
    reader = _Reader(text)
    found = {}
    for part, after in reader.changes(tree):
        start, stop = reader.place(part)
        if after != text[start:stop] and not text[start:stop].startswith(("{", "%(")):
            line = text.count("\n", 0, start) + 1
            found[start, stop, after] = Mutant(path, start, stop, text[start:stop], after, line)
    return [found[key] for key in sorted(found)]


@cache
def _linter() -> Any:
    from sqlfluff.core import FluffConfig, Linter

    return Linter(config=FluffConfig.from_root())


class _Reader:
    """Finds the changes in a tree of sqlfluff, and says what they are in the file's own text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._left_out: set[tuple[int, int]] = set()

    def place(self, part: Any) -> tuple[int, int]:
        place = part.pos_marker.source_slice
        return place.start, place.stop

    def _source(self, part: Any) -> str:
        start, stop = self.place(part)
        return self._text[start:stop]

    def changes(self, segment: Any) -> Iterator[tuple[Any, str]]:
        """Yield what to put in the place of which part of a tree."""
        yield from self._own(segment)
        parts = segment.segments or ()
        for at, part in enumerate(parts):
            if not self._has_no_value(segment, parts[at + 1 :], part):
                yield from self.changes(part)

    def _has_no_value(self, segment: Any, after: tuple[Any, ...], part: Any) -> bool:
        if part.is_type("numeric_literal") and segment.is_type("select_clause_element"):
            return not list(segment.get_children("alias_expression"))
        following = next((one for one in after if one.is_type("keyword")), None)
        return part.is_type("keyword") and following is not None and following.raw.lower() in NO_VALUE

    def _own(self, segment: Any) -> Iterator[tuple[Any, str]]:
        if segment.is_type("when_clause"):
            condition, *result = _values(segment)
            yield from self._opposite(condition)
            yield from self._other_value(result)
        elif segment.is_type("else_clause", "select_clause_element"):
            yield from self._other_value(_values(segment)[:1])
        elif segment.is_type(*CONDITIONS):
            for condition in segment.get_children("expression"):
                yield from self._opposite(condition)
        elif segment.is_type("function"):
            yield from self._other_call(segment)
        elif self.place(segment) not in self._left_out:
            yield from self._other_token(segment)

    def _other_token(self, token: Any) -> Iterator[tuple[Any, str]]:
        raw = token.raw.lower()
        if token.is_type(*OPERATORS) and raw in OPPOSITES:
            yield token, OPPOSITES[raw]
        elif token.is_type("keyword") and raw in LEFT_OUT:
            is_comparison = self._text[self.place(token)[1] :].lstrip().startswith("from ")
            yield token, "not distinct" if is_comparison else ""
        elif token.is_type("quoted_literal"):
            yield token, _other_text(token.raw)
        elif token.is_type("numeric_literal") and not POSITION.search(self._text[: self.place(token)[0]]):
            yield token, f"({raw} + 1)"

    def _opposite(self, condition: Any) -> Iterator[tuple[Any, str]]:
        """Yield the opposite of a condition, where no single operator of it has an opposite of its own."""
        if not condition.raw.startswith("'") and sum(1 for _ in _turned(condition)) != 1:
            yield condition, f"not coalesce(({self._source(condition)}), false)"

    def _other_value(self, found: list[Any]) -> Iterator[tuple[Any, str]]:
        """Yield what has a value without it; of a text, a number and a truth, the tree has a change of its own."""
        for part in found:
            raw = part.raw.lower()
            alone = (
                raw in ("true", "false")
                or raw.partition("::")[0] == "null"
                or raw.startswith("'")
                or raw.replace(".", "").isdigit()
            )
            if not alone and not raw.endswith("*") and not _has_parts_that_stand_for_it(part):
                yield part, f"nullif(({self._source(part)}), ({self._source(part)}))"

    def _other_call(self, function: Any) -> Iterator[tuple[Any, str]]:
        name = function.raw.lower().partition("(")[0].strip()
        bracketed = next(function.recursive_crawl("bracketed"), None)
        arguments = _arguments(bracketed) if bracketed else []
        if name == "coalesce":
            for left_out in arguments:
                kept = ", ".join(self._source(one) for one in arguments if one is not left_out)
                yield function, f"coalesce({kept})"
            self._left_out |= {self.place(one) for one in arguments if _is_constant(one)}
        elif name in UNWRAPPED:
            yield function, f"({self._source(arguments[0])})"


def _turned(segment: Any) -> Iterator[Any]:
    """Yield the operators of a condition that have an opposite, but for those of a select in it."""
    if segment.is_type("select_statement"):
        return
    raw = segment.raw.lower()
    if segment.is_type(*OPERATORS) and raw in COMPARED:
        yield segment
    for part in segment.segments or ():
        yield from _turned(part)


def _is_constant(part: Any) -> bool:
    return part.is_type("literal") or (
        part.is_type("expression") and all(one.is_type("literal") for one in part.segments)
    )


def _has_parts_that_stand_for_it(part: Any) -> bool:
    only = part
    while only.is_type("expression") and len(_values(only)) == 1:
        only = _values(only)[0]
    return only.is_type("case_expression") or (only.is_type("function") and only.raw.lower().startswith("coalesce("))


def _arguments(bracketed: Any) -> list[Any]:
    return [one for one in bracketed.segments if one.is_type("expression", "literal")]


def _other_text(raw: str) -> str:
    return next((found.expand(other) for one, other in OTHER_TEXTS if (found := one.fullmatch(raw))), "'mutant'")


def _values(segment: Any) -> list[Any]:
    """Return what a segment is made of beside its keywords, space and comments."""
    return [
        part
        for part in segment.segments
        if not part.is_type("keyword", "whitespace", "newline", "indent", "dedent", "comment", "alias_expression")
    ]
