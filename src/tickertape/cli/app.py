"""The commands there are. Each has a file of its own, which is loaded when it is called."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tickertape import __version__

app = typer.Typer(
    help="Stream answers of language models, and lose none.",
    no_args_is_help=True,
    add_completion=False,
    # Errors of ours are one line; all others are faults, and show where they are.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Which model: azure/my-deployment, openai/gpt-4o, local/…"),
]
System = Annotated[str | None, typer.Option(help="The system message: what the model should be.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="The most tokens of an answer.")]
Temperature = Annotated[float | None, typer.Option(min=0.0, max=2.0, help="0 is sober, 2 is wild.")]


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"tickertape {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Stream answers of language models, and lose none."""


@app.command()
def stream(
    prompt: Annotated[
        str | None, typer.Argument(help="What to ask; - or nothing reads it from stdin.")
    ] = None,
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    record: Annotated[
        Path | None, typer.Option(help="Record the answer to this file, for -m replay/FILE.")
    ] = None,
    record_prompt: Annotated[
        bool, typer.Option("--record-prompt", help="Keep the prompt in the recording, too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the recording.")] = False,
) -> None:
    """Ask once; the answer goes to stdout as it comes.

    Ctrl-C stops the model. Exits with 0 only when the answer is whole.
    """
    from tickertape.cli.stream import RecordingPlan, read_prompt, stream_answer

    if record is None and (record_prompt or force):
        raise typer.BadParameter("needs a file to record to", param_hint="--record")
    if record is not None and record.exists() and not force:
        raise typer.BadParameter(
            f"{record} exists already; --force overwrites it", param_hint="--record"
        )
    if prompt is None and sys.stdin.isatty():
        raise typer.BadParameter("say what to ask, or pipe it in", param_hint="PROMPT")
    prompt = read_prompt(prompt)
    if not prompt.strip():
        raise typer.BadParameter(
            "there is nothing to ask: the prompt is empty", param_hint="PROMPT"
        )
    raise typer.Exit(
        stream_answer(
            prompt,
            model=model,
            system=system,
            max_tokens=max_tokens,
            temperature=temperature,
            recording=RecordingPlan(record, keeps_prompt=record_prompt) if record else None,
        )
    )


@app.command()
def chat(
    model: Model = None,
    system: System = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
) -> None:
    """Talk with a model. Ctrl-C stops an answer; Ctrl-D or /exit leaves."""
    from tickertape.cli.chat import Conversation, converse

    conversation = Conversation(
        model=model, system=system, max_tokens=max_tokens, temperature=temperature
    )
    converse(conversation)


@app.command()
def tail(
    run_id: Annotated[str, typer.Argument(help="The run's id.")],
    url: Annotated[str, typer.Option(help="The server that has it.")] = "http://127.0.0.1:8000",
    after: Annotated[
        str, typer.Option(help="Begin after this cursor, as 61 or 61.2; -1: all of it.")
    ] = "-1",
) -> None:
    """Follow a run on a server to its end.

    Ctrl-C leaves; the run goes on. Exits as `stream` does.
    """
    from tickertape.cli.tail import follow_run

    raise typer.Exit(follow_run(url, run_id, after=after))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8000,
    model: Model = None,
    opens_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the chat page in the browser.")
    ] = False,
    drain_s: Annotated[
        float, typer.Option(min=0, help="How long answers may go on once it should stop.")
    ] = 20.0,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that share the port, and a log on Redis.")
    ] = 1,
    max_runs: Annotated[
        int, typer.Option(min=1, help="The most answers at once, in each worker.")
    ] = 1000,
    max_subscribers: Annotated[
        int, typer.Option(min=1, help="The most readers at once, in each worker.")
    ] = 10_000,
    abandon_after_s: Annotated[
        float | None, typer.Option(help="Stop an answer that nobody reads for so long.")
    ] = None,
    lease_term_s: Annotated[
        float, typer.Option(help="A process that is silent for so long counts as dead.")
    ] = 5.0,
    log: Annotated[
        str,
        typer.Option(
            envvar="TICKERTAPE_LOG",
            help="Where answers are kept: sqlite, sqlite:PATH, memory or redis://HOST:PORT.",
        ),
    ] = "sqlite",
    retention_s: Annotated[
        float | None, typer.Option(help="How long an answer is kept after its end.")
    ] = None,
    hedge_after_s: Annotated[
        float | None,
        typer.Option(min=0, help="Ask the next model of a list when one is silent for so long."),
    ] = None,
    break_it: Annotated[
        bool,
        typer.Option("--break-it", help="For development: let the page break answers on command."),
    ] = False,
) -> None:
    """Serve the chat page and the API, until Ctrl-C."""
    from tickertape.cli.serve import serve_until_stopped
    from tickertape.core.attempts import RetryPolicy
    from tickertape.web.serve import ServeSettings

    environment = {**os.environ, **({"TICKERTAPE_MODEL": model} if model else {})}
    settings = ServeSettings(
        host=host,
        port=port,
        workers=workers,
        drain_s=drain_s,
        max_runs=max_runs,
        max_subscribers=max_subscribers,
        abandon_after_s=abandon_after_s,
        lease_term_s=lease_term_s,
        log=log,
        retention_s=retention_s,
        retry=RetryPolicy(hedge_after_s=hedge_after_s),
    )
    serve_until_stopped(
        settings, environment=environment, opens_browser=opens_browser, breaks_answers=break_it
    )


@app.command()
def faults(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any free one.")] = 8001,
    scenario: Annotated[
        Path | None, typer.Option(help="A JSON file that says which request gets what.")
    ] = None,
    fault: Annotated[
        str | None, typer.Option(help="Give every request this fault, whatever its model.")
    ] = None,
    lists: Annotated[bool, typer.Option("--list", help="Show the faults, and exit.")] = False,
) -> None:
    """Serve a provider that misbehaves on command, until Ctrl-C.

    Speaks Azure OpenAI and OpenAI; the model's name picks the fault.
    """
    from tickertape.cli.faults import list_faults, scenario_to_play, serve_faults

    if scenario is not None and fault is not None:
        raise typer.BadParameter("--scenario and --fault exclude each other; give one")
    if lists:
        list_faults()
    else:
        serve_faults(scenario_to_play(scenario, fault), port=port)
