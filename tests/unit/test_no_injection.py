"""No code here runs text: no eval, no shell, and no statement made of anything but literals and quoted identifiers.

Each rule returns what breaks it, so that it is also tried on what does. `MADE_OF` is the whole list of exceptions.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*(ROOT / "include").rglob("*.py"), *(ROOT / "dags").rglob("*.py"), *(ROOT / "docker").glob("*.py")])
FORBIDDEN = {
    *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "string.Template", "tempfile.mktemp"),
    *("pickle.load", "pickle.loads", "marshal.loads", "shelve.open", "yaml.unsafe_load", "yaml.full_load"),
    *("subprocess.getoutput", "subprocess.getstatusoutput"),
}
STATEMENTS = {"execute", "executemany", "copy", "stream", "sql", "query"}
# SQL that is no literal where it stands, by file and expression: why nobody's text can be in it.
MADE_OF = {
    ("csv_files", "column.type"): "one of the types of parquet_files.TYPES",
    ("json_files", "column.type"): "one of the types of parquet_files.TYPES, or of a format's csv_type",
    ("publish", "kind"): "a type that format_type or parquet_files.TYPES gave",
    ("staging", "c.type"): "one of the types of parquet_files.TYPES",
    ("focus", "column.type"): "a type from include/sql/views/focus_columns.csv",
    ("lines", "target"): "a type from include/sql/focus/<mapping>_columns.csv",
    ("lines", "wanted"): "a type from include/sql/focus/<mapping>_columns.csv",
    ("views", "one.privilege"): "PostgreSQL's own word from aclexplode",
    ("sql_files", "text"): "a file of include/sql, or a literal",
    ("sql_files", "composed"): "a statement that psycopg composed",
    ("diagnosis", "right"): "one of two literals",
    ("files", "text"): "one of the literals of files.CSV_VALUES",
    (
        "checking",
        "f'select \"{found.currency}\", count(*), {sums} from {reader} group by all'",
    ): "names of exporting/relations.py, for DuckDB, which has the files of an export alone",
    ("statements", "statement.text.replace('%', '%%')"): "one select, and the guard let all of it pass",
    ("facts", "str(number + 1)"): "the place of a column, counted from 1",
    ("query", "'create table manifest (' + columns + ')'"): "a literal",
    (
        "query",
        "f'create view lines as {_lines(files, shapes, form)}'",
    ): "names are quoted for DuckDB, which has the files alone",
    ("query", "f'select * from {source} limit 0'"): "likewise",
    ("query", "f'select * from ({statement}) limit 0'"): "the statement of whoever asks, who may run any on the files",
}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def text_that_is_run(name: str, tree: ast.AST) -> list[str]:
    """Return the calls that run text as code, or as a shell's command."""
    found = [called for called, _ in calls(tree) if called in FORBIDDEN]
    return found + [
        f"{called}(shell={ast.unparse(keyword.value)})"
        for called, call in calls(tree)
        for keyword in call.keywords
        if keyword.arg == "shell"
    ]


def is_literal(node: ast.expr) -> bool:
    """Tell whether an expression is a literal, a choice of literals, or a constant of a module."""
    if isinstance(node, ast.IfExp):
        return is_literal(node.body) and is_literal(node.orelse)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id.isupper())


def is_put_together(node: ast.expr) -> bool:
    """Tell whether an expression is text that Python puts together."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.BinOp):
        return any(is_put_together(side) or isinstance(side, ast.Constant) for side in (node.left, node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "join", "replace") and isinstance(node.func.value, ast.Constant)
    return False


def statements_of_text(name: str, tree: ast.AST) -> list[str]:
    """Return what is handed to a database, or called SQL, and is neither literal nor an exception."""
    return [f"{name}: {text}" for text in parts_of_statements(tree) if (name, text) not in MADE_OF]


def parts_of_statements(tree: ast.AST) -> list[str]:
    """Return the expressions, not literal, of which a statement or SQL is made."""
    return [
        ast.unparse(argument)
        for called, call in calls(tree)
        for argument in call.args[:1]
        if (called == "sql.SQL" and not is_literal(argument))
        or (called.rpartition(".")[2] in STATEMENTS and is_put_together(argument))
    ]


RULES = [text_that_is_run, statements_of_text]


@pytest.mark.parametrize("rule", RULES)
def test_code_keeps(rule: Callable[[str, ast.AST], list[str]]) -> None:
    assert len(FILES) > 50
    broken = [found for path in FILES for found in rule(path.stem, ast.parse(path.read_text(encoding="utf-8")))]
    assert broken == []


def test_every_exception_is_still_there() -> None:
    found = {(path.stem, text) for path in FILES for text in parts_of_statements(ast.parse(path.read_text("utf-8")))}
    assert set(MADE_OF) <= found


def test_every_exception_of_the_linter_says_why() -> None:
    """A rule of bandit, `S`, is switched off by a line's own words, and for no other rule or file than is listed."""
    files = [
        path for folder in ("include", "dags", "docker", "plugins", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    silent = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"#\s*noqa(?!: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*\s+\S.{5})", line) and path != Path(__file__)
    ]
    assert silent == []
    lint = (
        (ROOT / "pyproject.toml")
        .read_text(encoding="utf-8")
        .partition("[tool.ruff.lint]")[2]
        .partition("[tool.mypy]")[0]
    )
    assert '"S"' in lint
    without_reason = [line for line in lint.splitlines() if re.match(r'\s+"S[0-9]+",?\s*$', line)]
    assert without_reason == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (text_that_is_run, "eval(text)"),
        (text_that_is_run, "subprocess.run(text, shell=True)"),
        (text_that_is_run, "os.system('ls ' + text)"),
        (statements_of_text, "connection.execute(f'select {name}')"),
        (statements_of_text, "connection.execute('select ' + name)"),
        (statements_of_text, "connection.execute('select %s' % name)"),
        (statements_of_text, "connection.execute('select {}'.format(name))"),
        (statements_of_text, "cursor.copy(', '.join(names))"),
        (statements_of_text, "sql.SQL(name)"),
        (statements_of_text, "sql.SQL(f'drop table {name}')"),
        (statements_of_text, "sql.SQL('select ' + name)"),
    ],
)
def test_rule_finds(rule: Callable[[str, ast.AST], list[str]], code: str) -> None:
    assert rule("example", ast.parse(code)) != []


@pytest.mark.parametrize(
    "code",
    [
        "connection.execute(sql.SQL('drop table {}').format(sql.Identifier(name)))",
        "connection.execute('select %s', [name])",
        "sql.SQL('a' if b else '')",
        "sql.SQL(STATEMENT)",
    ],
)
def test_rule_lets_pass(code: str) -> None:
    assert [found for rule in RULES for found in rule("example", ast.parse(code))] == []
