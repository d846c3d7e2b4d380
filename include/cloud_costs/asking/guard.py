"""The guard of the SQL tool: a statement passes if PostgreSQL's own parser finds nothing in it that is not listed here.

Everything is refused that nobody thought of: kinds of nodes, relations, functions, operators and types are lists of
what is allowed. The statement is one `select` that reads, and what it names it names by name: a relation that is
neither listed nor a `with` of the statement is refused, whatever schema it is in. `currencies` then looks at what it
sums. The guard is the first of several: the transaction is read-only, the role is the reader's, a timeout ends it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from cloud_costs.page.problems import WRONG, Refusal

MAX_LENGTH, MAX_DEPTH = 10_000, 200
NODES = (
    *(ast.A_ArrayExpr, ast.A_Const, ast.A_Expr, ast.A_Indices, ast.A_Indirection, ast.A_Star, ast.Alias, ast.BitString),
    *(ast.BoolExpr, ast.Boolean, ast.BooleanTest, ast.CaseExpr, ast.CaseWhen, ast.CoalesceExpr, ast.ColumnRef),
    *(ast.CommonTableExpr, ast.Float, ast.FuncCall, ast.GroupingFunc, ast.GroupingSet, ast.Integer, ast.JoinExpr),
    *(ast.MinMaxExpr, ast.NullTest, ast.RangeFunction, ast.RangeSubselect, ast.RangeVar, ast.RawStmt, ast.ResTarget),
    *(ast.RowExpr, ast.SQLValueFunction, ast.SelectStmt, ast.SortBy, ast.String, ast.SubLink, ast.TypeCast),
    *(ast.TypeName, ast.WindowDef, ast.WithClause),
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What takes many values and gives one.
AGGREGATES = _words(
    """
    avg bool_and bool_or corr count every max min mode percentile_cont percentile_disc regr_slope regr_intercept stddev
    stddev_pop stddev_samp string_agg sum var_pop var_samp variance
    """
)
WINDOWS = _words("cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number")
FUNCTIONS = (
    AGGREGATES
    | WINDOWS
    | _words(
        """
        abs ceil ceiling div exp floor ln log mod power round sign sqrt trunc width_bucket
        btrim concat concat_ws initcap left length like_escape lower ltrim position replace right rtrim split_part
        similar_to_escape starts_with strpos substr substring trim upper
        age date_part date_trunc extract make_date now timezone to_char to_date
        generate_series jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_each jsonb_each_text
        jsonb_extract_path jsonb_extract_path_text jsonb_object_keys jsonb_typeof unnest
        """
    )
)
OPERATORS = _words("+ - * / % ^ = <> != < > <= >= || ~~ ~~* !~~ !~~* ~ ~* !~ !~* -> ->> #> #>> ? ?| ?& @> <@ &&") | {
    "BETWEEN",
    "NOT BETWEEN",
    "BETWEEN SYMMETRIC",
    "NOT BETWEEN SYMMETRIC",
}
TYPES = _words(
    "bool bpchar char date float4 float8 int2 int4 int8 interval jsonb numeric text timestamp timestamptz varchar"
)
TIMES = frozenset({enums.SQLValueFunctionOp.SVFOP_CURRENT_DATE, enums.SQLValueFunctionOp.SVFOP_CURRENT_TIMESTAMP})
CATALOG = "pg_catalog"
ONE_SELECT = "Write one select, on the relations that what_can_i_ask lists."


@dataclass(frozen=True)
class Statement:
    """A statement that passed: its text without the semicolon, its tree, and the relations that it reads."""

    text: str
    select: ast.SelectStmt
    relations: frozenset[str]


def check(text: str, schema: str, relations: frozenset[str]) -> Statement:
    """Return the statement of a text. Raises `Refusal` for all but one select of the named relations of the schema."""
    if len(text) > MAX_LENGTH:
        raise _refused(f"the statement has more than {MAX_LENGTH:,} characters", "Ask in a shorter statement.")
    if "\0" in text:
        raise _refused("the statement holds a NUL character", ONE_SELECT)
    try:
        found = parse_sql(text)
    except ParseError as error:
        raise _refused(str(error.args[0]), "Write one select in the SQL of PostgreSQL.") from None
    except (RecursionError, ValueError) as error:
        raise _refused("the statement cannot be read", ONE_SELECT) from error
    if len(found) != 1:
        raise _refused(f"it is {len(found)} statements", ONE_SELECT)
    raw = found[0]
    if not isinstance(raw.stmt, ast.SelectStmt):
        raise _refused(f"{_kind(raw.stmt)} is not a select", ONE_SELECT)
    guard = _Guard(schema, relations)
    guard.walk(raw.stmt)
    # The parser counts bytes.
    own = text.encode()[raw.stmt_location :]
    if raw.stmt_len:
        own = own[: raw.stmt_len]
    return Statement(own.decode(), raw.stmt, frozenset(guard.read))


def name_of(names: Any) -> str | None:
    """Return the name of a function, type or operator; None where it is of another schema than PostgreSQL's own."""
    parts = [one.sval for one in names]
    if len(parts) == 2 and parts[0] == CATALOG:
        parts = parts[1:]
    return parts[0] if len(parts) == 1 else None


def children(node: Any) -> Iterator[Any]:
    """Return the nodes that are directly below a node."""
    for value in node if isinstance(node, tuple) else (getattr(node, field) for field in node):
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (one for one in children(value))


class _Guard:
    """Walks a tree, with the names of the `with` queries that each place sees."""

    def __init__(self, schema: str, relations: frozenset[str]) -> None:
        self.schema, self.relations = schema, relations
        self.read: set[str] = set()

    def walk(self, select: ast.SelectStmt) -> None:
        waiting: list[tuple[Any, frozenset[str], int]] = [(select, frozenset(), 0)]
        while waiting:
            node, seen, depth = waiting.pop()
            if depth > MAX_DEPTH:
                raise _refused(f"the statement is more than {MAX_DEPTH} levels deep", "Ask in a simpler statement.")
            if not isinstance(node, NODES):
                raise _refused(f"{_kind(node)} is not allowed", ONE_SELECT)
            if isinstance(node, ast.SelectStmt) and node.withClause:
                if node.withClause.recursive:
                    raise _refused("a recursive with is not allowed", ONE_SELECT)
                for query in node.withClause.ctes:
                    waiting.append((query, seen, depth + 1))
                    seen = seen | {query.ctename}
                waiting += [(one, seen, depth + 1) for one in children(node) if one is not node.withClause]
                continue
            self._check(node, seen)
            waiting += [(one, seen, depth + 1) for one in children(node)]

    def _check(self, node: Any, seen: frozenset[str]) -> None:
        match node:
            case ast.RangeVar():
                self._relation(node, seen)
            case ast.FuncCall():
                _listed("function", node.funcname, FUNCTIONS)
            case ast.TypeName():
                _listed("type", node.names, TYPES)
                if node.setof or node.pct_type:
                    raise _refused("such a type is not allowed", f"Use one of {', '.join(sorted(TYPES))}.")
            case ast.A_Expr():
                _listed("operator", node.name, OPERATORS)
            case ast.SubLink() if node.operName:
                _listed("operator", node.operName, OPERATORS)
            case ast.SortBy() if node.useOp:
                _listed("operator", node.useOp, frozenset())
            case ast.SQLValueFunction() if node.op not in TIMES:
                raise _refused("who is asking is not to be asked", ONE_SELECT)
            case ast.ColumnRef() | ast.A_Indirection():
                _column(node)
            case _:
                pass

    def _relation(self, node: ast.RangeVar, seen: frozenset[str]) -> None:
        name = node.relname
        if node.catalogname is None and node.schemaname is None and name in seen:
            return
        if node.catalogname is not None or node.schemaname not in (None, self.schema) or name not in self.relations:
            full = ".".join(one for one in (node.catalogname, node.schemaname, name) if one)
            raise _refused(f"the relation {full} is not one of those to ask", ONE_SELECT)
        self.read.add(name)


def _column(node: Any) -> None:
    """Refuse a field of an expression, and `relation.pg_function`: PostgreSQL's other way to write a call of it."""
    if isinstance(node, ast.A_Indirection):
        if any(isinstance(one, ast.String) for one in node.indirection):
            raise _refused("a field of an expression is not allowed", "Name columns as relation.column.")
    elif any(isinstance(one, ast.String) and one.sval.startswith("pg_") for one in node.fields):
        raise _refused("a column whose name begins with pg_ is not one of those to ask", ONE_SELECT)


def _listed(kind: str, names: Any, allowed: frozenset[str]) -> None:
    name = name_of(names)
    if name is None or name not in allowed:
        full = ".".join(one.sval for one in names)
        hint = f"Use one of: {', '.join(sorted(allowed))}." if allowed else ONE_SELECT
        raise _refused(f"the {kind} {full} is not allowed", hint)


def _kind(node: Any) -> str:
    return type(node).__name__.removesuffix("Stmt")


def _refused(why: str, hint: str) -> Refusal:
    return Refusal(WRONG, f"statement: {why}.", hint)
