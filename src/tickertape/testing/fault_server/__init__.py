"""The fault server: speaks Azure OpenAI and OpenAI, and misbehaves on command.

What it says and how it fails are values: `Answer` and `Faults`. `FaultServer`
plays them, and records what its clients did.
"""

from tickertape.testing.answers import Answer, ToolCall
from tickertape.testing.fault_server.exchanges import EndedOtherwise, Exchange, RecordedRequest
from tickertape.testing.fault_server.milestone import WaitedTooLong
from tickertape.testing.fault_server.server import API_VERSION, DEFAULT_API_KEY, FaultServer
from tickertape.testing.faults import (
    BadFaults,
    EndOfFile,
    Faults,
    Rejection,
    Reset,
    Stall,
    StreamError,
)
from tickertape.testing.scenarios import Scenario, Turn, load_scenario

__all__ = [
    "API_VERSION",
    "DEFAULT_API_KEY",
    "Answer",
    "BadFaults",
    "EndOfFile",
    "EndedOtherwise",
    "Exchange",
    "FaultServer",
    "Faults",
    "RecordedRequest",
    "Rejection",
    "Reset",
    "Scenario",
    "Stall",
    "StreamError",
    "ToolCall",
    "Turn",
    "WaitedTooLong",
    "load_scenario",
]
