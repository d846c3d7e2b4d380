"""The examples in docstrings: a wrong one misleads more than none."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

INCLUDE = Path(__file__).parents[2] / "include"
MODULES = sorted(
    path.relative_to(INCLUDE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in (INCLUDE / "cloud_costs").rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_hold(module):
    found = doctest.testmod(import_module(module))
    assert found.attempted
    assert found.failed == 0
