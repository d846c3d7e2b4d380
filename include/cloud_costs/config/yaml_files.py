"""YAML files that an operator writes: read strictly, and with messages that name the place."""

from pathlib import Path
from typing import Any

import yaml

from cloud_costs.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses a key that is given twice. PyYAML drops the first one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value!r} is given twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; raises `ConfigError` naming the file, and the line of what is wrong."""
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)  # noqa: S506  # a SafeLoader
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file (CLOUD_COSTS_CONFIG names it)") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets other errors through: it does not check a value behind a tag such as `!!int`.
        raise ConfigError(f"{path}: not valid YAML: {_yaml_problem(error)}") from None


def _yaml_problem(error: Exception) -> str:
    """Return where the problem is and what, without the lines around it."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
