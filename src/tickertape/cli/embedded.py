"""Says when the embedded model answers without having been asked for."""

from __future__ import annotations

import os
import sys

from tickertape.providers.catalog import LOCAL, REPLAY, Catalog


def announce_embedded(model: str | None) -> None:
    """Say on stderr that no provider is configured, so that a small model answers.

    Raises:
        ConfigurationError: there is nothing that could answer.
    """
    catalog = Catalog.from_environment(os.environ, allow_local_paths=True)
    is_named = (model or "").startswith((f"{LOCAL}/", f"{REPLAY}/"))
    is_asked_for = is_named or os.environ.get("TICKERTAPE_MODEL")
    if catalog.default == LOCAL and not is_asked_for:
        print(
            "tickertape: no provider is configured, so the embedded model answers; set "
            "AZURE_OPENAI_ENDPOINT or OPENAI_API_KEY for another",
            file=sys.stderr,
        )
