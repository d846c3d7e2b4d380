"""The model that a connection names, without asking it anything."""

import pytest

from cloud_costs.asking import extra
from cloud_costs.asking.model_connections import create_model, read
from cloud_costs.errors import ConfigError


def test_fields_of_the_connection_go_to_the_provider():
    connection = read("the-key", "https://someone@llm.example.com:8000/v1", {"model": "openai-chat:llama:70b"})
    assert connection.server == "llm.example.com:8000"
    model = create_model(connection)
    assert (model.model_name, model.base_url.rstrip("/")) == ("llama:70b", "https://someone@llm.example.com:8000/v1")
    azure = {"model": "azure:gpt-5", "azure_endpoint": "https://x.openai.azure.com", "api_version": "2025-01-01"}
    connection = read("the-key", None, azure)
    assert connection.server == "x.openai.azure.com"
    assert "x.openai.azure.com" in create_model(connection).base_url
    assert read("the-key", "", {"model": "openai:gpt-5"}).server is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "names no model"),
        ({"model": "gpt-5"}, "names no model"),
        ({"model": 5}, "names no model"),
        ({"model": "nobody:gpt-5"}, "nobody:gpt-5 cannot be asked: Unknown provider"),
        ({"model": "openai:gpt-5", "colour": "red"}, "unexpected keyword argument 'colour'"),
        ({"model": "anthropic:claude"}, "pydantic-ai-slim"),
    ],
)
def test_connection_that_cannot_be_says_why(fields, words):
    with pytest.raises(ConfigError, match=words) as failed:
        create_model(read("the-key", None, fields))
    assert "the-key" not in str(failed.value)


def test_missing_library_is_named_with_what_to_install(monkeypatch):
    with pytest.raises(ConfigError, match=r"requirements-ask\.txt .* CLOUDS=ask"), extra.needed(extra.ASK):
        raise ModuleNotFoundError("No module named 'pydantic_ai'", name="pydantic_ai")
    with pytest.raises(ModuleNotFoundError), extra.needed(extra.ASK):
        raise ModuleNotFoundError("No module named 'other'", name="other")
    assert extra.ASK.is_installed()
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "pglast" else name)
    assert not extra.ASK.is_installed()
