"""The documentation names what the code has: every command, option, param, task, check, error and variable.

Each rule is a function from what the code has, or a text, to what is wrong, so that it is also tried on what is wrong.
"""

import ast
import inspect
import itertools
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer
import yaml

from cloud_costs import errors
from cloud_costs.charges.columns import focus_columns
from cloud_costs.charges.data_dictionary import read_expressions
from cloud_costs.charges.focus import selects_of
from cloud_costs.cli import app
from cloud_costs.database.sql_files import check_names, read, read_checks
from cloud_costs.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
README, OPERATIONS, TABLES = ROOT / "README.md", ROOT / "docs/operations.md", ROOT / "docs/tables.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DAG, CHECK_DAG = (
    ast.parse((ROOT / "dags" / name).read_text(encoding="utf-8")) for name in ("cloud_costs.py", "cloud_costs_check.py")
)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
READ_VARIABLE = re.compile(r"""environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]+)"|envvar="([A-Z][A-Z0-9_]+)\"""")
# Folders that exist on one machine only; image and container paths are /opt/airflow, /usr, and Google Composer's.
MACHINE_PATH = re.compile(r"(?<![\w./{-])(?!/home/airflow/gcs/)/(?:home|root|work|Users|workspace|mnt)/[\w.-]+")
REGISTRY = re.compile(r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|crates\.io|artifactory|nexus|devpi)[\w.-]*")


def text_of(*pages: Path) -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


ALL = text_of(*PAGES)


# --- the rules


def unnamed(names: Iterable[str], text: str) -> list[str]:
    """Return the names that the text does not hold as words of their own."""
    return sorted(name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(f"{page.name}: {target}")
    return broken


def undescribed(env_example: str) -> list[str]:
    """Return the variables that no comment stands right above."""
    lines = env_example.splitlines()
    return [
        line.partition("=")[0]
        for before, line in itertools.pairwise(["", *lines])
        if re.match(r"[A-Z][A-Z0-9_]+=", line) and not before.startswith("# ")
    ]


def of_one_machine(text: str) -> list[str]:
    return MACHINE_PATH.findall(text) + REGISTRY.findall(text)


# --- what the code has


def make_targets() -> list[str]:
    return re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def commands() -> dict[str, list[str]]:
    """Return the options of each command."""
    group = typer.main.get_command(app)
    return {
        name: [option for param in command.params for option in param.opts if option.startswith("--")]
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def task_ids(dag: ast.Module = DAG) -> list[str]:
    """Return the names of the functions that a DAG file makes tasks and groups of."""
    return [
        node.name
        for node in dag.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(mark).startswith("task") for mark in node.decorator_list)
    ]


def params(dag: ast.Module = DAG) -> dict[str, str]:
    """Return the title of each param in the form."""
    found = next(
        node.value for node in dag.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PARAMS"
    )
    assert isinstance(found, ast.Dict)
    return {
        ast.literal_eval(key): next(ast.literal_eval(word.value) for word in value.keywords if word.arg == "title")
        for key, value in zip(found.keys, found.values, strict=True)
        if key and isinstance(value, ast.Call)
    }


def variables() -> set[str]:
    """Return the environment variables that the code reads."""
    files = [*(ROOT / "include").rglob("*.py"), *(ROOT / "dags").rglob("*.py")]
    return {one or other for one, other in READ_VARIABLE.findall(text_of(*files))} - {"PGOPTIONS", "PATH"}


def env_example() -> str:
    return (ROOT / ".env.example").read_text(encoding="utf-8")


def empty_columns(mapping: str) -> set[str]:
    """Return the FOCUS columns that a mapping states nowhere; tags are gathered from their own columns."""
    stated = {one.name for text in selects_of(mapping) for one in read_expressions(text) if not one.step}
    stated |= set(re.findall(r"^    \w+\.(\w+),?$", selects_of(mapping)[0].rpartition("\nselect\n")[2], re.MULTILINE))
    return {column.name for column in focus_columns() if column.focus_name} - stated


def tracked_texts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git working copy")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8000]]


# --- the code and its documentation


def test_every_make_target_is_documented() -> None:
    assert len(make_targets()) > 5
    assert unnamed([f"make {target}" for target in make_targets()], ALL) == []


def test_every_command_and_option_is_documented() -> None:
    found = commands()
    assert {"sync", "list-manifests"} <= found.keys()
    assert unnamed(found, text_of(OPERATIONS)) == []
    assert unnamed({option for options in found.values() for option in options}, text_of(OPERATIONS)) == []


def test_documented_commands_and_targets_exist() -> None:
    assert set(re.findall(r"python -m cloud_costs (?!…)([a-z-]+)", ALL)) <= commands().keys()
    assert set(re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)", ALL)) <= set(make_targets())


def test_every_task_is_documented() -> None:
    assert len(task_ids()) > 5
    rows = re.findall(r"^\| `(\w+)` \| ", text_of(OPERATIONS).partition("## Errors")[0], re.MULTILINE)
    assert set(rows) == set(task_ids()) - {"billing_month"}
    assert "`billing_month`" in text_of(OPERATIONS)
    assert unnamed([f"`{name}`" for name in task_ids()], ast.get_docstring(DAG) or "") == []


def test_every_param_is_documented_with_its_title() -> None:
    assert "force" in params()
    for name, title in params().items():
        assert re.search(rf"^\| `{name}` \| {title} \|", text_of(OPERATIONS), re.MULTILINE), name
        assert title in text_of(README), name


def test_every_task_and_param_of_the_check_is_documented() -> None:
    section = text_of(OPERATIONS).partition("## Check the configuration\n")[2].partition("\n## ")[0]
    doc = ast.get_docstring(CHECK_DAG) or ""
    assert re.findall(r"^\| `(\w+)` \| ", section, re.MULTILINE) == [*task_ids(CHECK_DAG), *params(CHECK_DAG)]
    assert re.findall(r"^\| `(\w+)` \| ", doc, re.MULTILINE) == task_ids(CHECK_DAG)
    for name, title in params(CHECK_DAG).items():
        assert f"| `{name}` | {title} |" in section
        assert f"*{title}*" in doc


def test_every_check_is_documented_with_its_severity() -> None:
    assert check_names()
    rows = dict(re.findall(r"^\| `(\w+)` \| (error|warning) \|", text_of(OPERATIONS), re.MULTILINE))
    assert rows == {check.name: check.severity for check in read_checks()}


def test_every_error_is_documented_and_tried_again_or_not() -> None:
    classes = dict(inspect.getmembers(errors, inspect.isclass))
    assert unnamed(classes, text_of(OPERATIONS)) == []
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|no) \|", text_of(OPERATIONS), re.MULTILINE))
    kinds = {errors.CloudCostsError, errors.PermanentError, errors.TransientError}
    assert rows == {
        name: "yes" if issubclass(error, errors.TransientError) else "no"
        for name, error in classes.items()
        if error not in kinds
    }


def test_every_status_is_documented() -> None:
    statuses = re.search(r"status in \(([^)]+)\)", read("schema/001_tables.sql"))
    assert statuses
    assert unnamed([f"| `{status}`" for status in re.findall(r"'(\w+)'", statuses[1])], text_of(OPERATIONS)) == []


def test_every_format_is_documented() -> None:
    assert unnamed([f"`{name}`" for name in FORMATS], text_of(README)) == []


def test_every_column_of_costs_is_documented() -> None:
    columns = re.findall(r"^    (\w+) [a-z]+", read("tables/normalized.sql"), re.MULTILINE)
    assert "effective_cost" in columns
    rows = re.findall(r"^\| `(\w+)` \|", text_of(TABLES).partition("## costs_by_day")[0], re.MULTILINE)
    assert rows == columns


def test_every_relation_is_documented() -> None:
    relations = re.findall(r"^create (?:table|view) \{schema\}\.(\w+)", read("schema/001_tables.sql"), re.MULTILINE)
    relations += [path.stem for path in (ROOT / "include/sql/views").glob("*costs.sql")]
    assert {"costs", "load_history"} <= set(relations)
    assert unnamed([f"`{name}`" for name in relations], text_of(TABLES)) == []


def test_focus_columns_that_stay_empty_are_named() -> None:
    section = (
        text_of(TABLES)
        .partition("### FOCUS columns that stay empty")[2]
        .partition("\n`PricingCurrencyEffectiveCost` ")[0]
    )
    assert {name.lower() for name in re.findall(r"`([A-Z]\w+)`", section)} == empty_columns("aws_cur")
    standard = [column for column in focus_columns() if column.focus_name]
    assert f"All {len(standard)} columns of FOCUS 1.2" in text_of(TABLES)
    assert f"All {len(standard)} columns of FOCUS 1.2" in text_of(README)
    own = [column.name for column in focus_columns() if column.name.startswith("x_") and column.name != "x_source"]
    assert unnamed([f"`{name}`" for name in own], text_of(TABLES)) == []


def test_every_variable_is_described() -> None:
    assert "POSTGRES_HOST" in variables()
    assert unnamed(variables(), ALL + env_example()) == []
    assert undescribed(env_example()) == []


def test_example_source_of_the_readme_is_the_example_file() -> None:
    block = re.search(r"^```yaml\n(sources:.+?)^```", text_of(README), re.MULTILINE | re.DOTALL)
    assert block
    example = yaml.safe_load((ROOT / "include/config/sources.example.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(block[1]) == example


def test_every_adr_is_listed() -> None:
    files = sorted((ROOT / "docs/adr").glob("*.md"))
    assert files
    assert unnamed([f"adr/{file.name}" for file in files], text_of(ROOT / "docs/README.md")) == []
    for file in files:
        headings = re.findall(r"^(?:## (.+)|Status: )", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["", "Context", "Decision", "Consequences"], file.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_readme_is_short_and_in_order() -> None:
    text = text_of(README)
    assert len(text.splitlines()) < 200
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Two commands",
        "Add a source",
        "Trigger it",
        "Reload a month",
        "The tables",
        "Operate it",
        "How fast",
        "Contribute",
    ]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in tracked_texts()
        if path != Path(__file__).resolve()
        and (names := of_one_machine(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}


# --- the rules on what is wrong


def test_rules_find_what_is_wrong(tmp_path: Path) -> None:
    assert unnamed(["--force", "sync"], "`--force-all`, list-manifests, resync") == ["--force", "sync"]
    assert unnamed(["--force", "sync"], "`sync --force`") == []
    assert undescribed("# About AA\nAA=\nBB=1\n\n# About CC\nCC=\n") == ["BB"]
    assert of_one_machine("see /home/someone/notes and https://pypi.example.org/simple") == [
        "/home/someone",
        "https://pypi.example.org",
    ]
    assert of_one_machine("/opt/airflow/include, s3://bucket/home/x, docs/home/y, /home/airflow/gcs/dags") == []
    assert of_one_machine("/home/airflow/notes") == ["/home/airflow"]
    page = tmp_path / "page.md"
    page.write_text("# A heading, of `code`\n[a](gone.md) [b](#a-heading-of-code) [c](#nowhere) [d](page.md)\n")
    assert broken_links(page) == ["page.md: gone.md", "page.md: #nowhere"]
