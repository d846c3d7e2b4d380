"""The second opinion on a load: what the files of a delivery hold, as DuckDB reads them.

The encoder and COPY bring a delivery into PostgreSQL. What proves that they lost nothing must not be their own code, so
DuckDB reads the same files with its own Parquet, CSV and JSON readers, and says of each file:

- how many `rows` it has
- of every mapped amount, how many values are `filled`, and their exact `sum`
- of every mapped key, how many `lines` have each value

`audit` compares these facts with the staged table (`include/sql/checks/raw_equals_files.sql`). Only the columns that
the daily totals are made of are read: `formats/mapping.py` says which.

A sum is exact where a double stands for the number that it is written as. PostgreSQL makes numeric of a double by its
15 significant digits, and sums those. So does this, with integers: a double that is the nearest one to `n / 10^10`,
with an `n` of at most 15 digits, has exactly those digits. One division tells. A double that is not is tried with
`10^20`, and then with others. Texts of up to 18 decimal places are decimals of DuckDB. The few values that are none of
these are odd, and are summed in Python, as PostgreSQL prints them.

It adds to a load that is bound by processor time, so each value is looked at as seldom as possible. Texts are counted
as they are, and an empty one is taken for none afterwards. Most amounts of a line are 0, and for them nothing is
calculated. One pass over a file is enough, unless it has many odd values.
"""

import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, localcontext
from itertools import groupby
from typing import Any

from cloud_costs.formats.delivery import Format
from cloud_costs.formats.mapping import LIST, LineColumn, line_columns
from cloud_costs.loading.columns import Column
from cloud_costs.loading.duckdb_files import DeliveryFiles, Part, open_files
from cloud_costs.loading.shape import Fact, Shape
from cloud_costs.storage.files import Storage

log = logging.getLogger(__name__)

# Of DuckDB, beside what the load itself takes.
MEMORY = "200MB"
ROWS, FILLED, SUM, LINES = "rows", "filled", "sum", "lines"
# A key of more values than this in a file is not counted by value: the counts would be as large as the bill.
MOST_VALUES = 20_000
# So many odd values of an amount are kept while a file is read. Of a file with more, they are read once more.
MOST_ODD = 100
# The scales at which a double is tried as an integer, one after the other: usual amounts, then small ones, then large
# ones. Powers of ten are exact in a double up to 10^22.
SCALES = (10, 20)
DIGITS = {"double precision": 15, "real": 6}
FLOATS = ("DOUBLE", "FLOAT")
WITH_ZONE = "TIMESTAMP WITH TIME ZONE"
TEXTS = ("VARCHAR", "JSON")
# More digits than a sum of doubles can have, from 1e308 down to 5e-324; Python's own 28 would round.
PRECISION = 1000


class Unread(Exception):
    """DuckDB cannot read what was loaded; the message says what and why."""


def read_facts(storage: Storage, where: str, shape: Shape, form: Format) -> list[Fact]:
    """Return what the files of a delivery hold.

    Raises `Unread` for what DuckDB cannot read, and what `storage` raises.
    """
    import duckdb

    kept = {column.original: column for column in shape.columns}
    types = {file.file.uri: file.types for file in shape.files}
    facts: list[Fact] = []
    try:
        with open_files(storage, where, [file.file for file in shape.files], MEMORY) as files:
            # Files with the same columns are read by one statement, so that both threads have work.
            by_columns = sorted(files.parts, key=lambda part: (part.kind, list(types[part.file.uri])))
            for (_, columns), parts in groupby(by_columns, key=lambda part: (part.kind, list(types[part.file.uri]))):
                if columns:
                    facts += _facts(files, tuple(parts), types, kept, form)
                else:
                    facts += [Fact(part.file.uri, "", ROWS, Decimal(0)) for part in parts]
    except duckdb.Error as error:
        raise Unread(" ".join(str(error).split())) from error
    return facts


def _facts(
    files: DeliveryFiles,
    parts: Sequence[Part],
    types: Mapping[str, Mapping[str, str]],
    kept: Mapping[str, Column],
    form: Format,
) -> Iterator[Fact]:
    """Yield the facts of files with the same columns, from one pass: each pass unpacks a CSV file again."""
    originals = types[parts[0].file.uri]
    source = _Source(files, reader(parts, originals))
    # By place: DuckDB renames columns whose names differ in case alone.
    read = {
        kept[original].name: _Read(quoted(name), str(kind), kept[original].type, fields_of(kind))
        for original, (name, kind) in zip(originals, source.columns(), strict=False)
        if original in kept
    }
    sums, keys = _sums(form, read), _key_expressions(form, read, {column.name for column in kept.values()})
    uris = {part.path: part.file.uri for part in parts}
    many: set[str] = set()
    totals: dict[tuple[str, str], _Total] = {}
    counted: list[Fact] = []
    for path, rows, remaining in source.ask(sums, keys):
        yield Fact(uris[path], "", ROWS, Decimal(rows))
        totals |= {(path, name): one.read(remaining) for name, one in sums.items()}
        for name in keys:
            lines = next(remaining) or {}
            if len(lines) > MOST_VALUES:
                many.add(name)
                continue
            counted += _counts(uris[path], name, rows, lines)
    yield from (fact for fact in counted if fact.column not in many)
    # A file without lines has no row in the answer.
    odd = _sums_of_odd(source, sums, totals)
    for (path, name), total in totals.items():
        yield Fact(uris[path], name, FILLED, Decimal(total.filled))
        with localcontext(prec=PRECISION):
            yield Fact(uris[path], name, SUM, total.sum + odd.get((path, name), Decimal(0)))
    for column, entries in _lists(form, read):
        yield from _facts_of_list(source, column, entries, uris)


def _facts_of_list(source: "_Source", column: LineColumn, entries: str, uris: Mapping[str, str]) -> Iterator[Fact]:
    """Yield the sum of a key over all entries of a list, of each file."""
    inner = _Source(
        source.files,
        f"(select filename, unnest({entries}) as entry from {source.reader})",  # noqa: S608  names are quoted
    )
    key = column.raw_names[-1].partition("->")[2]
    sums = {column.name: _sum_of(f"entry.{quoted(key)}", _Read("entry", "DOUBLE", "double precision"))}
    totals = {(path, column.name): sums[column.name].read(values) for path, _, values in inner.ask(sums, {})}
    odd = _sums_of_odd(inner, sums, totals)
    for path, uri in uris.items():
        at = path, column.name
        with localcontext(prec=PRECISION):
            total = totals[at].sum if at in totals else Decimal(0)
            yield Fact(uri, column.name, SUM, total + odd.get(at, Decimal(0)))


def _counts(uri: str, name: str, rows: int, lines: Mapping[Any, int]) -> Iterator[Fact]:
    """Yield how many lines of a file have each value of a key, and how many have none, or an empty text."""
    filled = 0
    for value, count in lines.items():
        if value != "":
            filled += count
            yield Fact(uri, name, LINES, Decimal(count), _text(value))
    if filled < rows:
        yield Fact(uri, name, LINES, Decimal(rows - filled))


@dataclass(frozen=True)
class _Source:
    """Some files of a delivery as DuckDB reads them: the table function."""

    files: DeliveryFiles
    reader: str

    def ask(self, sums: Mapping[str, "_Sum"], keys: Mapping[str, str]) -> Iterator[tuple[str, int, Iterator[Any]]]:
        """Yield for each file its path, its rows, the aggregates of each sum, and the counts of each key's values."""
        wanted = [aggregate for at, one in enumerate(sums.values()) for aggregate in one.aggregates(at)]
        wanted += [f"histogram(k{at})" for at in range(len(keys))]
        named = [f"{key} as k{at}" for at, key in enumerate(keys.values())]
        lines = _tried(self.reader, list(sums.values()), named)
        statement = f"select {', '.join(['filename', 'count(*)', *wanted])} from {lines} group by filename"  # noqa: S608  names are quoted
        for path, rows, *values in self._run(statement):
            yield path, rows, iter(values)

    def odd(self, sum_: "_Sum") -> Iterator[tuple[str, str, int]]:
        """Yield path, text and number of each value that is none of the tries of a sum."""
        lines = _tried(self.reader, [sum_], [])
        text = f"printf('%.{sum_.digits - 1}e', v0)" if sum_.digits else "v0::varchar"
        statement = f"select filename, {text}, count(*) from {lines} where {sum_.is_odd(0)} group by 1, 2"  # noqa: S608  names are quoted
        yield from self._run(statement)

    def _run(self, statement: str) -> list[tuple[Any, ...]]:
        return self.files.connection.execute(statement).fetchall()

    def columns(self) -> list[tuple[str, Any]]:
        """Return the names and types of the columns."""
        statement = f"select * from {self.reader} limit 0"  # noqa: S608  names are quoted
        described = self.files.connection.execute(statement).description
        return [(column[0], column[1]) for column in described or ()]


@dataclass(frozen=True)
class _Read:
    """A column as DuckDB reads it: its quoted name, DuckDB's type, and the type that it is staged with.

    `fields` are those of a struct.
    """

    name: str
    type: str
    staged: str
    fields: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        """The value; an empty text is none, as the mapping has it."""
        if self.type == "JSON":
            return f"nullif({self.name}::varchar, '')"
        return f"nullif({self.name}, '')" if self.type == "VARCHAR" else self.name


def fields_of(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a struct, of its type as DuckDB describes it."""
    try:
        return tuple(name for name, _ in kind.children) if kind.id == "struct" else ()
    except AttributeError:
        return ()


def reader(parts: Sequence[Part], types: Mapping[str, str]) -> str:
    """Return the table function that reads files of one kind with these columns.

    `types` are PostgreSQL's, by the exporter's name.
    """
    kind = parts[0].kind
    # Not a parameter: for the first one, DuckDB imports pandas, which takes a tenth of a second.
    paths = f"[{', '.join(literal(part.path) for part in parts)}]"
    if kind == "parquet":
        return f"read_parquet({paths}, filename = true)"
    # Every option is given: DuckDB does not guess from a sample what COPY is told.
    if kind == "json":
        keys = ", ".join(f"{literal(name)}: '{'JSON' if of == 'jsonb' else 'VARCHAR'}'" for name, of in types.items())
        return f"read_json({paths}, filename = true, format = 'newline_delimited', columns = {{{keys}}})"
    names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(types)))
    return (
        f"read_csv({paths}, filename = true, columns = {{{names}}}, auto_detect = false, header = true, delim = ',', "
        """quote = '"', escape = '"', nullstr = '', parallel = false)"""
    )


@dataclass(frozen=True)
class _Total:
    """How many values of an amount a file has, and their sum; where it `has_more`, the odd values are not in it."""

    filled: int
    sum: Decimal
    has_more: bool = False


@dataclass(frozen=True)
class _Sum:
    """The exact sum of an amount: aggregates for DuckDB, and how they are put together.

    `tries` make a number without a rounding error of a value, `{}`, each with how many of its digits are decimal
    places. Each is tried for the values for which those before it gave NULL. A value without any is odd. Of a double,
    PostgreSQL's cast to numeric keeps so many `digits`.
    """

    value: str
    tries: tuple[tuple[str, int], ...]
    digits: int | None = None

    def aggregates(self, at: int) -> list[str]:
        """Return the aggregates of the sum with this number."""
        tried = [f"t{at}_{number}" for number in range(len(self.tries))]
        # The smallest values, each as often as it comes.
        odd = f"min(v{at}, {MOST_ODD + 1}) filter (where {self.is_odd(at)})"
        return [f"count(v{at})", *(f"{what}({one})" for one in tried for what in ("count", "sum")), odd]

    def read(self, values: Iterator[Any]) -> _Total:
        """Take this sum's aggregates from a row."""
        filled = next(values)
        total = Decimal(0)
        with localcontext(prec=PRECISION):
            for _, scale in self.tries:
                next(values)
                total += Decimal(next(values) or 0).scaleb(-scale)
            odd = next(values) or []
            if len(odd) > MOST_ODD:
                return _Total(filled, total, has_more=True)
            return _Total(filled, total + _added_up(Counter(map(self.text_of, odd))))

    def text_of(self, odd: Any) -> str:
        """Return an odd value as the text that Python sums."""
        return f"{odd:.{self.digits - 1}e}" if self.digits else str(odd)

    def is_odd(self, at: int, tries: int | None = None) -> str:
        """Return the condition of a value of which none of the first tries, or of all, made a number."""
        tried = range(len(self.tries) if tries is None else tries)
        return " and ".join([f"v{at} is not null", *(f"t{at}_{number} is null" for number in tried)])


def _tried(reader: str, sums: Sequence[_Sum], named: Sequence[str]) -> str:
    """Return the lines as a table: `v0` is the value of the first sum, `t0_0` what its first try makes of it.

    A projection for each try, so that each is calculated once, and only for the values that those before left.
    """
    columns = ["filename", *(f"{one.value} as v{at}" for at, one in enumerate(sums)), *named]
    table = f"(select {', '.join(columns)} from {reader})"  # noqa: S608  names are quoted
    for number in range(max((len(one.tries) for one in sums), default=0)):
        more = [_try(one, at, number) for at, one in enumerate(sums) if number < len(one.tries)]
        table = f"(select *, {', '.join(more)} from {table})"  # noqa: S608  names are quoted
    return table


def _try(one: _Sum, at: int, number: int) -> str:
    """Return the column of one try of a sum; the first is made of every value."""
    made = one.tries[number][0].format(f"v{at}")
    return f"{made if number == 0 else f'case when {one.is_odd(at, number)} then {made} end'} as t{at}_{number}"


def _sums(form: Format, read: Mapping[str, _Read]) -> dict[str, _Sum]:
    """Return the sum of each amount; it stands in the first of its columns that is filled."""
    found = {}
    for column in line_columns(form.mapping):
        where = [read[name] for name in column.raw_names if name in read]
        if column.daily == "sum" and where:
            # Where one of them is a double, so is what they come to.
            widest = next((one for one in where if one.type in FLOATS), where[0])
            found[column.name] = _sum_of(_coalesced([one.value for one in where]), widest)
    return found


def _lists(form: Format, read: Mapping[str, _Read]) -> Iterator[tuple[LineColumn, str]]:
    """Yield each amount that is the sum of a key over a list, and the list in DuckDB's own type."""
    for column in (one for one in line_columns(form.mapping) if one.daily == "sum" and one.raw_names):
        *plain, last = column.raw_names
        name, _, key = last.partition("->")
        found = read.get(name.removesuffix(LIST)) if name.endswith(LIST) else None
        if found and not any(one in read for one in plain):
            text = f"from_json({found.value}, '[{{{_json_key(key)}: \"VARCHAR\"}}]')"
            yield column, text if found.type in TEXTS else found.name


def _json_key(key: str) -> str:
    return json.dumps(key).replace("'", "''")


def _sum_of(value: str, column: _Read) -> _Sum:
    if column.type in FLOATS or column.staged in DIGITS:
        digits = DIGITS.get(column.staged, 15)
        return _Sum(f"{value}::double", tuple((_whole(scale, digits), scale) for scale in SCALES), digits)
    if column.type == "VARCHAR":
        return _Sum(value, ((DECIMAL, 0), (SHORT_WITH_EXPONENT, SCALES[1])))
    return _Sum(value, (("{}", 0),))


def _whole(scale: int, digits: int) -> str:
    """Return the integer that a double, `{}`, is, `scale` digits further to the left; NULL if it is none."""
    whole = f"round({{0}} * 1e{scale})"
    is_it = f"{whole} / 1e{scale} = {{0}} and abs({whole}) < 1e{digits}"
    return f"case when {{0}} = 0 then 0::bigint when {is_it} then {whole}::bigint end"


# The decimal that a text says; NULL for a text with an exponent, or more digits than a decimal has. Of 19 characters at
# most 18 are decimal places. Longer texts are rare, and looked at more closely.
DECIMAL = """
    case
        when contains({0}, 'E') or contains({0}, 'e') then null
        when length({0}) <= 19
            or length({0}) <= 35 and (
                strpos({0}, '.') = 0 or strpos({0}, '.') <= 18 and length({0}) - strpos({0}, '.') <= 18
            )
        then try_cast({0} as decimal(38, 18))
    end
"""
# Of 17 characters, one of them the E and one the exponent, at most 15 are digits: a double holds them.
SHORT_WITH_EXPONENT = f"""
    case when length({{0}}) <= 17 and contains(upper({{0}}), 'E')
        then {_whole(SCALES[1], 15).replace("{0}", "try_cast({0} as double)")} end
"""


def _sums_of_odd(
    source: _Source, sums: Mapping[str, _Sum], totals: Mapping[tuple[str, str], _Total]
) -> dict[tuple[str, str], Decimal]:
    """Return the sums of the odd values, by path and amount, of files with many: one more pass for each amount."""
    found: dict[tuple[str, str], Decimal] = {}
    many = {at for at, total in totals.items() if total.has_more}
    for odd in {name for _, name in many}:
        texts: dict[str, dict[str, int]] = {}
        for path, text, times in source.odd(sums[odd]):
            if (path, odd) in many:
                texts.setdefault(path, {})[text] = times
        with localcontext(prec=PRECISION):
            found |= {(path, odd): _added_up(values) for path, values in texts.items()}
    return found


def _added_up(texts: Mapping[str, int]) -> Decimal:
    """Return the sum of numbers as texts, each so many times; NaN where one is no number that Python knows."""
    total = Decimal(0)
    for text, times in texts.items():
        try:
            total += Decimal(text.strip()) * times
        except ArithmeticError:
            return Decimal("NaN")
    return total


def _key_expressions(form: Format, read: Mapping[str, _Read], delivered: Set[str]) -> dict[str, str]:
    """Return the expression of every key: of a column, or of what the mapping makes of several.

    A key that these files do not have, and others of the delivery do, is NULL here.
    """
    columns = line_columns(form.mapping)
    values = {column.name: _key_value(column, read) for column in columns}
    keys = {
        column.name: _as_it_is(column, read) or values[column.name]
        for column in columns
        if column.daily == "key" and any(name.partition("->")[0] in delivered for name in column.raw_names)
    }
    keys |= {column.name: column.daily.format(**values) for column in columns if column.is_derived_key}
    # An expression may name one that is listed before it.
    for column in columns:
        if column.expression and column.daily == "key":
            keys[column.name] = values[column.name] = f"({column.expression.format(**values)})"
    return keys


def _as_it_is(column: LineColumn, read: Mapping[str, _Read]) -> str | None:
    """Return the text column that a key is, if it is just that: empty texts need no look at each value."""
    found = [read[name] for name in (alias.partition("->")[0] for alias in column.raw_names) if name in read]
    if len(found) == 1 and found[0].type == "VARCHAR" and found[0].staged == "text" and column.type == "text":
        return found[0].name
    return None


def _key_value(column: LineColumn, read: Mapping[str, _Read]) -> str:
    found = []
    for alias in column.raw_names:
        name, _, key = alias.partition("->")
        if name not in read:
            continue
        if not key:
            found.append(_typed(read[name], column.type))
        elif read[name].staged == "jsonb" and not name.endswith(LIST):
            found += _of_map(read[name], key)
    return _coalesced(found) if found else f"null::{'json' if column.type == 'jsonb' else column.type}"


def _typed(read: _Read, wanted: str) -> str:
    if wanted != "timestamp":
        return read.value
    if read.type == "VARCHAR":
        return timestamp(read.value)
    # All times are UTC. DuckDB's own cast asks the library of time zones for each value, which takes ten times as long.
    if read.type == WITH_ZONE:
        return f"make_timestamp(epoch_us({read.name}))"
    return f"{read.value}::timestamp"


def timestamp(value: str) -> str:
    """Return a time that CSV has as text, in UTC.

    PostgreSQL leaves out the zone of a text. Here it counts, so that a time in another zone than UTC is noticed. A time
    without seconds, as Oracle writes it, is none for DuckDB's cast, and neither is Azure's 01/31/2025.
    """
    formats = "['%Y-%m-%dT%H:%MZ', '%m/%d/%Y']"
    plain = f"coalesce(try_cast({value} as timestamp), try_strptime({value}, {formats}), {value}::timestamp)"
    zoned = f"make_timestamp(epoch_us({value}::timestamptz))"
    return f"case when right({value}, 1) = 'Z' or length({value}) <= 19 then {plain} else {zoned} end"


def _of_map(read: _Read, key: str) -> list[str]:
    """Return the value of a key of a map, which CSV and JSON have as JSON text; nothing where no value can have it."""
    if read.type in TEXTS:
        return [f"json_extract_string({read.value}, {literal('/' + key)})"]
    if read.fields:
        return [f"{read.name}.{quoted(key)}::varchar"] if key in read.fields else []
    return [f"{read.name}[{literal(key)}]"]


def _text(value: Any) -> str:
    """Return the value of a key as PostgreSQL writes it (`charges/facts.py`)."""
    return value.isoformat(" ", "microseconds") if isinstance(value, datetime) else str(value)


def _coalesced(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"


def quoted(name: str) -> str:
    """Return a name as an identifier of DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a literal of DuckDB."""
    return "'" + text.replace("'", "''") + "'"
