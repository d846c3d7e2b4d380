"""The model of an Airflow connection: any that pydantic-ai knows, with the fields of Airflow's common AI provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cloud_costs.asking.extra import ASK, needed
from cloud_costs.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_ai.models import Model


@dataclass(frozen=True)
class ModelConnection:
    """A model by the name `<provider>:<model>`, and what its provider is made with."""

    name: str
    settings: Mapping[str, Any]

    @property
    def server(self) -> str | None:
        """The host that is asked, where the connection names one."""
        address = str(self.settings.get("base_url") or self.settings.get("azure_endpoint") or "")
        return urlsplit(address).netloc.rpartition("@")[2] or None


def read(password: str | None, host: str | None, extra: Mapping[str, Any]) -> ModelConnection:
    """Return the model that the fields of a connection name: `model` of the extra, its key and its address.

    What else the extra holds goes to the provider of the model as it is, such as `region_name` of Bedrock.
    """
    name = extra.get("model")
    if not isinstance(name, str) or ":" not in name:
        raise ConfigError(
            'the connection names no model: write {"model": "openai:gpt-5"} or another one into its extra'
        )
    others = {key: value for key, value in extra.items() if key != "model"}
    settings = {"api_key": password, "base_url": host, **others}
    return ModelConnection(name, {key: value for key, value in settings.items() if value})


def create_model(connection: ModelConnection) -> "Model":
    """Return the model, without asking it anything. Raises `ConfigError` for one that cannot be."""
    with needed(ASK):
        import pydantic_ai
        from pydantic_ai.models import infer_model
        from pydantic_ai.providers import Provider, infer_provider_class

    # It is meant for a person's own terminal.
    pydantic_ai.BANNER_ENABLED = False

    def provider(name: str) -> Provider[Any]:
        made: Provider[Any] = infer_provider_class(name)(**connection.settings)
        return made

    try:
        return infer_model(connection.name, provider)
    except (ImportError, TypeError, ValueError, pydantic_ai.UserError) as error:
        # Their texts name what is wrong with the name or a parameter, or the library that is missing.
        raise ConfigError(f"{connection.name} cannot be asked: {error}") from error
