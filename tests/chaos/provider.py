"""The provider of a storm: the fault server, which gives every run its own answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.chaos.runs import PlannedRun
from tickertape.testing.answers import Answer
from tickertape.testing.fault_server import FaultServer
from tickertape.testing.scenarios import Scenario, Turn


def provider_for(runs: Sequence[PlannedRun]) -> FaultServer:
    """Return a server, to be opened, that knows what to say by the model's name."""
    return FaultServer(
        Scenario(
            models={
                run.model: (Turn(answer=Answer(text=run.pieces), faults=run.faults),)
                for run in runs
            }
        )
    )


async def hang_up(provider: FaultServer) -> None:
    """Close every connection, so that the servers' idle ones are not counted as left over."""
    await provider.close()
    await provider.start()


def times_asked(provider: FaultServer) -> Counter[str]:
    """Return how often each model was asked."""
    return Counter(request.body["model"] for request in provider.requests)
