"""What a release has to agree on: its version, the wheel's requirements, and what people are told to copy."""

import ast
import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

import cloud_costs
from cloud_costs import layout

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
INSTALL = (ROOT / "docs/install.md").read_text(encoding="utf-8")
VERSION = cloud_costs.__version__
# What airflow.sdk has had since 3.0. DAGs take everything else from cloud_costs/airflow/versions.py.
SINCE_3_0 = {"Asset", "AssetAlias", "DAG", "Param", "dag", "task", "task_group"}


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """Return the versions that a requirements file names."""
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", text_of(path), re.MULTILINE))


def wanted(*groups: list[str]) -> dict[str, Requirement]:
    return {one.name: one for one in (Requirement(text) for group in groups for text in group)}


def test_version_is_defined_once_and_told_everywhere() -> None:
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert (ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]).samefile(cloud_costs.__file__)
    assert re.findall(r"^## \[(\d[^\]]*)\] - \d{4}-\d\d-\d\d$", text_of("CHANGELOG.md"), re.MULTILINE)[0] == VERSION
    assert re.findall(r'image\.version="([^"]+)"', text_of("Dockerfile")) == [VERSION]
    assert set(re.findall(r"cloud[-_]costs(?:\[\w+\])?(?:-|==|`==)(\d+\.\d+\.\d+)", INSTALL)) == {VERSION}


def test_every_release_has_a_day_and_a_higher_version_than_the_one_before() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", text_of("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    numbers = [tuple(map(int, heading.split("."))) for heading in headings[1:]]
    assert numbers
    assert numbers == sorted(set(numbers), reverse=True)


def test_wheel_asks_for_what_the_project_chooses() -> None:
    extras = PROJECT["optional-dependencies"]
    for path, groups in (
        ("requirements.txt", (PROJECT["dependencies"], extras["airflow"])),
        ("requirements-azure.txt", (extras["azure"],)),
        ("requirements-google.txt", (extras["google"],)),
        ("requirements-mcp.txt", (extras["mcp"],)),
        ("requirements-ask.txt", (extras["ask"],)),
    ):
        chosen, asked = pins(path), wanted(*groups)
        assert chosen.keys() == asked.keys(), path
        assert {name: version for name, version in chosen.items() if version not in asked[name].specifier} == {}


def test_wheel_takes_its_files_from_where_the_project_has_them() -> None:
    included = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    examples = {f"include/config/{path.name}" for path in layout.EXAMPLES.glob("*.example.yaml")}
    assert len(examples) >= 3
    assert set(included) == {"dags", "include/sql"} | examples
    assert included["include/sql"] == "cloud_costs/sql"
    assert included["dags"] == "cloud_costs/dags"
    assert all(included[path] == f"cloud_costs/examples/{Path(path).name}" for path in examples)
    assert (layout.SQL, layout.DAGS) == (ROOT / "include/sql", ROOT / "dags")


def test_people_copy_what_is_tried() -> None:
    dag_file = re.search(r"DAG_FILE = '''(.+?)'''", text_of("tests/compat.py"), re.DOTALL)
    assert dag_file
    assert f"```python\n{dag_file[1]}```" in INSTALL
    # What Airflow looks for before it reads a file for DAGs.
    assert {"airflow", "dag"} <= set(re.findall("airflow|dag", dag_file[1].lower()))


def test_values_of_the_chart_are_yaml_and_name_one_version() -> None:
    block = re.search(r"^```yaml\n(airflowVersion.+?)^```", INSTALL, re.MULTILINE | re.DOTALL)
    assert block
    values = yaml.safe_load(block[1])
    assert values["images"]["airflow"]["tag"] == VERSION
    assert values["airflowVersion"] == pins("requirements.txt")["apache-airflow"]
    folders = [mount["mountPath"] for mount in values["volumeMounts"]]
    named = {one["name"]: one["value"] for one in values["env"]}
    assert Path(named["CLOUD_COSTS_CONFIG"]).parent == Path(folders[0])


def test_dags_take_from_airflow_what_the_oldest_one_has() -> None:
    paths = [*layout.DAGS.glob("*.py"), *(layout.PACKAGE / "airflow").glob("*.py")]
    taken = [
        (path.name, node.module, name.name)
        for path in paths
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("airflow.sdk")
        for name in node.names
        if path.name != "versions.py"
    ]
    assert ("cloud_costs.py", "airflow.sdk", "dag") in taken
    assert [one for one in taken if one[1] != "airflow.sdk" or one[2] not in SINCE_3_0] == []
