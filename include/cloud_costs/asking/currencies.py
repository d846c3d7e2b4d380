"""Whether a statement sums amounts of several currencies, which is never a number that means something.

Two amounts are of one currency if they are of the same relation and in the same group by its currency, or if a
condition names the currency. An aggregate or a window function over amounts therefore needs the currency in its group
or partition, or a condition `currency = '…'`, and an expression may not hold amounts of two currencies. `with` queries,
subqueries and joins are followed. What cannot be followed is refused, because a statement can always be written so
that it can.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from pglast import ast, enums

from cloud_costs.asking.guard import AGGREGATES, WINDOWS, children, name_of
from cloud_costs.page.problems import WRONG, Refusal

CURRENCIES = frozenset({"currency", "billingcurrency"})
# They are of any number of rows alike.
COUNTING = frozenset({"bool_and", "bool_or", "count", "every"})
RANKING = frozenset({"cume_dist", "dense_rank", "ntile", "percent_rank", "rank", "row_number"})
# Numbers of relations with a currency that are no amounts.
QUANTITIES = frozenset({"commitmentdiscountquantity", "consumedquantity", "pricingquantity", "share"})
HINT = (
    "Add currency to the group by (or to the partition by), or a condition such as where currency = 'USD', for each "
    "relation of costs; keep amounts of different currencies in columns or rows of their own."
)


@dataclass(frozen=True)
class Column:
    """A column that a relation or a select has: whether it holds the currency, or amounts.

    `constant` is the one currency that all its amounts are of, if it is known.
    """

    name: str
    is_currency: bool = False
    is_amount: bool = False
    constant: str | None = None


@dataclass(frozen=True)
class Shape:
    """What a relation or a select gives."""

    columns: tuple[Column, ...]

    @property
    def amounts(self) -> list[Column]:
        """The columns that hold amounts."""
        return [one for one in self.columns if one.is_amount]

    @property
    def constant(self) -> str | None:
        """The one currency that all amounts are of, if it is known."""
        constants = {one.constant for one in self.amounts}
        return constants.pop() if len(constants) == 1 else None


@dataclass
class _Item:
    """An item of a `from`; items of one group are known to be of one currency in each row."""

    alias: str
    shape: Shape
    constant: str | None = None
    is_outer: bool = False

    def column(self, name: str) -> Column | None:
        return next((one for one in self.shape.columns if one.name == name), None)


@dataclass
class _Scope:
    """The items of a select, with what its conditions say of them, and the scope around it."""

    outer: "_Scope | None"
    items: list[_Item] = field(default_factory=list)
    # From an item to one that is of the same currency wherever the first one is of one currency.
    links: list[tuple[_Item, _Item]] = field(default_factory=list)

    def find(self, node: Any) -> tuple[_Item, Column | None] | None:
        """Return the item that a column is of; without a column for the whole row."""
        names = [one.sval for one in node.fields if isinstance(one, ast.String)]
        name, alias = names[-1], names[-2] if len(names) > 1 else None
        for item in self.items:
            column = item.column(name)
            if alias in (None, item.alias) and column:
                return item, column
        for item in self.items:
            if alias is None and item.alias == name:
                return item, None
        found = self.outer.find(node) if self.outer else None
        return (replace(found[0], is_outer=True), found[1]) if found else None

    def closure(self, anchors: Iterable[_Item]) -> list[_Item]:
        """Return the items that are of one currency where the anchors are."""
        found = list(anchors)
        for item in found:
            found += [other for one, other in self.links if one is item and not _in(other, found)]
        return found

    def token(self, item: _Item) -> Any:
        """Return what is the same for two items only if amounts of both are of one currency in each row."""
        both = [*self.links, *((other, one) for one, other in self.links)]
        found = [item]
        for one in found:
            found += [other for near, other in both if near is one and not _in(other, found)]
        constants = [one.constant for one in found if one.constant]
        return constants[0] if constants else min(id(one) for one in found)


def require_one_currency(select: ast.SelectStmt, relations: Mapping[str, Mapping[str, str]]) -> None:
    """Raise `Refusal` for a statement that sums amounts of several currencies.

    `relations` are the types of the columns of each relation that it reads.
    """
    shapes = {name: _of_relation(columns) for name, columns in relations.items()}
    _select(select, shapes, {}, None)


def _of_relation(columns: Mapping[str, str]) -> Shape:
    has_currency = bool(CURRENCIES & set(columns))
    return Shape(
        tuple(
            Column(name, name in CURRENCIES, has_currency and kind.startswith("numeric") and name not in QUANTITIES)
            for name, kind in columns.items()
        )
    )


def _select(
    select: ast.SelectStmt, relations: Mapping[str, Shape], queries: Mapping[str, Shape], outer: _Scope | None
) -> Shape:
    """Check a select and those in it, and return what it gives."""
    known = dict(queries)
    for query in select.withClause.ctes if select.withClause else ():
        known[query.ctename] = _renamed(_select(query.ctequery, relations, known, outer), query.aliascolnames)
    if select.op != enums.SetOperation.SETOP_NONE:
        left, right = (_select(one, relations, known, outer) for one in (select.larg, select.rarg))
        return _together(left, right)
    return _Select(select, relations, known, outer).shape()


def _together(left: Shape, right: Shape) -> Shape:
    """Return what the rows of two selects give, one below the other."""
    return Shape(tuple(_either(one, other) for one, other in zip(left.columns, right.columns, strict=False)))


def _either(one: Column, other: Column) -> Column:
    constants = {column.constant for column in (one, other) if column.is_amount}
    constant = constants.pop() if len(constants) == 1 else None
    return Column(one.name, one.is_currency and other.is_currency, one.is_amount or other.is_amount, constant)


def _renamed(shape: Shape, names: Any) -> Shape:
    given = [one.sval for one in names or ()]
    return Shape(
        tuple(replace(one, name=given[place]) if place < len(given) else one for place, one in enumerate(shape.columns))
    )


class _Select:
    """One select without set operations."""

    def __init__(
        self,
        select: ast.SelectStmt,
        relations: Mapping[str, Shape],
        queries: Mapping[str, Shape],
        outer: _Scope | None,
    ) -> None:
        self.select, self.relations, self.queries = select, relations, queries
        self.scope = _Scope(outer)
        self._inner: dict[int, Shape] = {}
        for one in select.fromClause or ():
            self._add(one)
        self._conditions(select.whereClause)
        self.fixed = [one for one in self.scope.items if one.constant or self._is_of_outer(one)]

    def shape(self) -> Shape:
        """Check all expressions, and return what the select gives."""
        groups = self._groups()
        anchors = self.scope.closure([*self.fixed, *groups])
        for name in ("targetList", "groupClause", "sortClause", "distinctClause"):
            for node in getattr(self.select, name) or ():
                self._check(node, anchors)
        for node in (self.select.whereClause, self.select.havingClause):
            if node is not None:
                self._check(node, anchors)
        rows = [self._row(row, anchors) for row in self.select.valuesLists or ()]
        if rows:
            return reduce(_together, rows)
        return Shape(tuple(column for target in self.select.targetList or () for column in self._outputs(target)))

    def _row(self, row: Any, anchors: Sequence[_Item]) -> Shape:
        """Check a row of `values`, and return what it gives."""
        for node in row:
            self._check(node, anchors)
        return Shape(tuple(self._output(f"column{place + 1}", node) for place, node in enumerate(row)))

    # What is read.

    def _add(self, node: Any) -> list[_Item]:
        """Add an item of the from, and return the items that it is made of."""
        if isinstance(node, ast.JoinExpr):
            return self._join(node)
        if isinstance(node, ast.RangeVar):
            is_query = node.schemaname is None and node.relname in self.queries
            shape = self.queries[node.relname] if is_query else self.relations[node.relname]
            alias = node.alias.aliasname if node.alias else node.relname
        elif isinstance(node, ast.RangeSubselect):
            shape = _select(node.subquery, self.relations, self.queries, self.scope)
            alias = node.alias.aliasname if node.alias else ""
        else:
            alias = node.alias.aliasname if node.alias else ""
            amounts = any(self._amounts(one) for one in children(node))
            names = [one.sval for one in (node.alias.colnames if node.alias else None) or ()] or [alias]
            item = _Item(alias, Shape(tuple(Column(name, is_amount=amounts) for name in names)))
            if amounts and self.scope.items:
                # Elements of amounts are of the currency of their row.
                self.scope.links += [(one, item) for one in self.scope.items]
            self.scope.items.append(item)
            return [item]
        shape = _renamed(shape, node.alias.colnames if node.alias else None)
        item = _Item(alias, shape)
        self.scope.items.append(item)
        return [item]

    def _join(self, node: ast.JoinExpr) -> list[_Item]:
        if node.isNatural or node.alias:
            raise Refusal(WRONG, "statement: a natural join, or a join with a name, is not followed.", HINT)
        left, right = self._add(node.larg), self._add(node.rarg)
        ways = {
            enums.JoinType.JOIN_INNER: (True, True),
            enums.JoinType.JOIN_LEFT: (True, False),
            enums.JoinType.JOIN_RIGHT: (False, True),
        }.get(node.jointype, (False, False))
        pairs = [
            (one, other)
            for name in node.usingClause or ()
            for one in left
            for other in right
            if (mine := one.column(name.sval))
            and (its := other.column(name.sval))
            and mine.is_currency
            and its.is_currency
        ]
        if node.quals is not None:
            if ways == (True, True):
                self._conditions(node.quals)
            else:
                pairs += [pair for pair in self._equal(node.quals) if _in(pair[0], left) and _in(pair[1], right)]
                pairs += [pair[::-1] for pair in self._equal(node.quals) if _in(pair[1], left) and _in(pair[0], right)]
        for one, other in pairs:
            self.scope.links += [(one, other)] * ways[0] + [(other, one)] * ways[1]
        return [*left, *right]

    # What the conditions say.

    def _conditions(self, node: Any) -> None:
        for item, constant in self._constants(node):
            item.constant = constant
        for one, other in self._equal(node):
            self.scope.links += [(one, other), (other, one)]
        # A constant holds for all that is of the same currency.
        for item in [one for one in self.scope.items if one.constant]:
            for one in self.scope.closure([item]):
                one.constant = one.constant or item.constant

    def _parts(self, node: Any) -> Iterable[Any]:
        if isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.AND_EXPR:
            for one in node.args:
                yield from self._parts(one)
        elif isinstance(node, ast.A_Expr):
            yield node

    def _constants(self, node: Any) -> list[tuple[_Item, str]]:
        found = []
        for one in self._parts(node):
            right = one.rexpr
            if one.kind == enums.A_Expr_Kind.AEXPR_IN and isinstance(right, tuple) and len(right) == 1:
                right = right[0]
            elif one.kind != enums.A_Expr_Kind.AEXPR_OP:
                continue
            for column, value in ((one.lexpr, right), (right, one.lexpr)):
                item = self._currency(column)
                text = getattr(value, "val", None) if isinstance(value, ast.A_Const) else None
                if name_of(one.name) == "=" and item and not item.is_outer and isinstance(text, ast.String):
                    found.append((item, text.sval))
        return found

    def _equal(self, node: Any) -> list[tuple[_Item, _Item]]:
        found = []
        for one in self._parts(node):
            if one.kind == enums.A_Expr_Kind.AEXPR_OP and name_of(one.name) == "=":
                left, right = self._currency(one.lexpr), self._currency(one.rexpr)
                if left and right:
                    found.append((left, right))
        return found

    def _currency(self, node: Any) -> _Item | None:
        """Return the item whose currency a node is."""
        if not isinstance(node, ast.ColumnRef) or isinstance(node.fields[-1], ast.A_Star):
            return None
        found = self.scope.find(node)
        return found[0] if found and found[1] and found[1].is_currency else None

    def _is_of_outer(self, item: _Item) -> bool:
        return any(other.is_outer for one, other in self.scope.links if one is item)

    def _groups(self) -> list[_Item]:
        """Return the items whose currency the select groups by."""
        targets = self.select.targetList or ()
        found = []
        for node in self.select.groupClause or ():
            if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
                place = node.val.ival or 0
                node = targets[place - 1].val if 0 < place <= len(targets) else node
            elif isinstance(node, ast.ColumnRef) and self.scope.find(node) is None:
                node = next((one.val for one in targets if one.name == node.fields[-1].sval), node)
            item = self._currency(node)
            if item and not item.is_outer:
                found.append(item)
        return found

    # What is summed.

    def _check(self, node: Any, anchors: Sequence[_Item]) -> None:
        if isinstance(node, ast.SelectStmt):
            self._subselect(node)
            return
        if isinstance(node, ast.FuncCall):
            self._call(node, anchors)
        if isinstance(node, ast.ResTarget | ast.A_Expr) and len(self._tokens(node)) > 1:
            raise _mixed("an expression holds amounts of different currencies")
        for one in children(node):
            self._check(one, anchors)

    def _call(self, node: ast.FuncCall, anchors: Sequence[_Item]) -> None:
        name = name_of(node.funcname)
        if name not in AGGREGATES | WINDOWS or name in COUNTING | RANKING:
            return
        if node.over is not None:
            window = node.over
            if window.name or window.refname:
                named = [one for one in self.select.windowClause or () if one.name in (window.name, window.refname)]
                window = named[0] if named else window
            partition = [self._currency(one) for one in window.partitionClause or ()]
            anchors = self.scope.closure([*self.fixed, *(one for one in partition if one)])
        if node.agg_filter is not None:
            filtered = [item for item, _ in self._constants(node.agg_filter)]
            anchors = self.scope.closure([*anchors, *filtered])
        arguments = [*(node.args or ()), *(node.agg_order or ())]
        for item, constant in (one for argument in arguments for one in self._amounts(argument)):
            if constant is None and (item is None or not (item.is_outer or _in(item, anchors))):
                raise _mixed(f"{name} takes amounts of several currencies")

    def _amounts(self, node: Any) -> list[tuple[_Item | None, str | None]]:
        """Return the items that a node's amounts are of, and their currencies where they are known.

        Amounts of a subquery are of no item.
        """
        if isinstance(node, ast.SelectStmt):
            return [(None, one.constant) for one in self._subselect(node).amounts]
        if isinstance(node, ast.FuncCall) and name_of(node.funcname) in COUNTING | RANKING:
            return []
        if isinstance(node, ast.ColumnRef) and not isinstance(node.fields[-1], ast.A_Star):
            found = self.scope.find(node)
            if found is None:
                return []
            item, column = found
            amounts = item.shape.amounts if column is None else [column] if column.is_amount else []
            return [(item, one.constant or item.constant) for one in amounts]
        return [amount for one in children(node) for amount in self._amounts(one)]

    def _tokens(self, node: Any) -> set[Any]:
        """Return what tells apart the currencies of the amounts in an expression."""
        if isinstance(node, ast.SelectStmt):
            return {constant for _, constant in self._amounts(node) if constant}
        if isinstance(node, ast.FuncCall):
            name = name_of(node.funcname)
            if name in COUNTING | RANKING:
                return set()
            filtered = {constant for _, constant in self._constants(node.agg_filter)}
            if filtered and any(self._amounts(one) for one in node.args or ()):
                return filtered
        if isinstance(node, ast.ColumnRef):
            return {
                constant or self.scope.token(item)
                for item, constant in self._amounts(node)
                if item and (constant or not item.is_outer)
            }
        return {token for one in children(node) for token in self._tokens(one)}

    def _subselect(self, node: ast.SelectStmt) -> Shape:
        """Check a subquery once, and return what it gives."""
        if id(node) not in self._inner:
            self._inner[id(node)] = _select(node, self.relations, self.queries, self.scope)
        return self._inner[id(node)]

    # What is given.

    def _outputs(self, target: ast.ResTarget) -> list[Column]:
        node = target.val
        if isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.A_Star):
            alias = node.fields[-2].sval if len(node.fields) > 1 else None
            return [
                replace(one, constant=one.constant or item.constant)
                for item in self.scope.items
                if alias in (None, item.alias)
                for one in item.shape.columns
            ]
        return [self._output(target.name or _name(node), node)]

    def _output(self, name: str, node: Any) -> Column:
        tokens = self._tokens(node)
        token = next(iter(tokens)) if len(tokens) == 1 else None
        constant = token if isinstance(token, str) else None
        return Column(name, self._currency(node) is not None, bool(self._amounts(node)), constant)


def _name(node: Any) -> str:
    """Return the name that PostgreSQL gives to a column without one."""
    if isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.String):
        return str(node.fields[-1].sval)
    if isinstance(node, ast.FuncCall):
        return name_of(node.funcname) or "?column?"
    if isinstance(node, ast.TypeCast):
        inner = _name(node.arg)
        return inner if inner != "?column?" else name_of(node.typeName.names) or inner
    if isinstance(node, ast.CoalesceExpr):
        return "coalesce"
    if isinstance(node, ast.CaseExpr):
        return "case"
    return "?column?"


def _in(item: _Item, items: Iterable[_Item]) -> bool:
    return any(one is item for one in items)


def _mixed(why: str) -> Refusal:
    return Refusal(WRONG, f"statement: {why}, which is not a number that means something.", HINT)
