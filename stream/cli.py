"""The command line: what can be said, and how it ends.

Exit status 0 on success, 2 for a wrong call or configuration, 1 for a failure while running; each
failure is one line. Commands are imported when called: help and `ask` must not wait for torch.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from core.errors import ConfigError, LookoutError, Unauthorized

app = typer.Typer(
    name="lookout",
    help="Watches live video and answers questions about it while it keeps watching.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Check, show and describe the configuration.")
app.add_typer(config_app, name="config")

Config = Annotated[
    list[str] | None,
    typer.Option(
        "-c", "--config", metavar="FILE|KEY=VALUE", help="YAML file or one setting; repeatable."
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="M", help="embedded, a Hugging Face id, or a folder."),
]
Server = Annotated[
    str,
    typer.Option("--server", envvar="LOOKOUT_SERVER", metavar="URL", help="A running server."),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="LOOKOUT_API_KEY", metavar="KEY", help="API key, if it wants one."
    ),
]


@app.command()
def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free one.")] = None,
    model: Model = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="A camera; repeatable.")
    ] = None,
    allow_anyone: Annotated[
        bool, typer.Option("--allow-anyone", help="Listen beyond loopback without a key.")
    ] = False,
) -> None:
    """Run the server."""
    from stream.commands.serve import ServeOptions
    from stream.commands.serve import serve as run_server

    options = ServeOptions(config or [], host, port, model, source or [], allow_anyone)
    asyncio.run(run_server(options))


@app.command()
def ask(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Which camera to ask.")],
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="In words.")],
    server: Server = "http://127.0.0.1:8080",
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object at the end.")] = False,
) -> None:
    """Ask a camera of a running server; the answer appears as it is spoken."""
    from stream.commands.ask import ask as ask_server

    asyncio.run(ask_server(server, key, camera, question, as_json=as_json))


@app.command()
def events(
    camera: Annotated[str | None, typer.Option(help="Of this camera only.")] = None,
    search: Annotated[str, typer.Option(help="With these words only.")] = "",
    since: Annotated[
        str | None, typer.Option(metavar="T", help="That ended since then: 2026-11-20T21:30.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Entries at most.")] = 100,
    server: Server = "http://127.0.0.1:8080",
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """What cameras of a running server wrote down (memory.notes), oldest first."""
    from stream.commands.events import events as history

    asyncio.run(history(server, key, camera, search, since, limit, as_json=as_json))


@app.command()
def run(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="An address or a file.")],
    ask: Annotated[
        list[str] | None,
        typer.Option(metavar="T=QUESTION", help="Asked at stream time T (90 or 1:30); repeatable."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="S", help="Stream time to stop at (90 or 1:30).")
    ] = None,
    speed: Annotated[
        str,
        typer.Option(
            metavar="realtime|max", help="Of files: max plays them as fast as they are watched."
        ),
    ] = "realtime",
    fps: Annotated[float | None, typer.Option(metavar="F", help="Frames per second.")] = None,
    pruning: Annotated[
        str | None, typer.Option(metavar="P", help="A pruning method; a wrong name lists all.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(metavar="N", help="Visual tokens kept per temporal step.")
    ] = None,
    memory: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens the memory holds at most.")
    ] = None,
    model: Model = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="JSON lines; - is the terminal.")
    ] = None,
    save_kept: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Save pictures in which what pruning dropped is dim."),
    ] = None,
    config: Config = None,
) -> None:
    """Play a source through the real pipeline, without a server."""
    from stream.commands.run import RunOptions
    from stream.commands.run import run as run_source

    options = RunOptions(
        source=source,
        questions=ask or [],
        duration=duration,
        speed=speed,
        fps=fps,
        pruning=pruning,
        budget=budget,
        memory=memory,
        model=model,
        json_file=json_file,
        save_kept=save_kept,
        config=config or [],
    )
    asyncio.run(run_source(options))


@app.command()
def doctor(config: Config = None) -> None:
    """Check this machine and say what is wrong and what to do about it."""
    from stream.commands.doctor import doctor as examine

    raise typer.Exit(examine(config or []))


_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
Name = Annotated[str | None, typer.Argument(metavar="NAME")]
Listed = Annotated[bool, typer.Option("--list", help="List the names.")]


@app.command(context_settings=_PASSED_ON)
def train(context: typer.Context, name: Name = None, listed: Listed = False) -> None:
    """Train something: NAME and its own options."""
    _catalog("train", context, name, listed=listed)


@app.command("eval", context_settings=_PASSED_ON)
def evaluate(context: typer.Context, name: Name = None, listed: Listed = False) -> None:
    """Measure quality: NAME and its own options."""
    _catalog("eval", context, name, listed=listed)


@app.command(context_settings=_PASSED_ON)
def bench(context: typer.Context, name: Name = None, listed: Listed = False) -> None:
    """Measure speed and memory: NAME and its own options."""
    _catalog("bench", context, name, listed=listed)


def _catalog(kind: str, context: typer.Context, name: str | None, *, listed: bool) -> None:
    from stream.commands import catalogs

    asked = name in ("--help", "-h")
    if asked:
        typer.echo(f"Usage: lookout {kind} NAME [OPTIONS]; each NAME knows --help\n")
    if asked or listed:
        typer.echo(catalogs.listing(kind))
        return
    raise typer.Exit(catalogs.run(kind, name, context.args))


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Validate the configuration; says nothing else than ok."""
    from stream.configuration import load_settings

    load_settings(config or [])
    typer.echo("ok")


@config_app.command("show")
def config_show(config: Config = None) -> None:
    """Print the resolved configuration as YAML, secrets masked."""
    from stream.configuration import as_yaml, load_settings, masked

    typer.echo(as_yaml(masked(load_settings(config or []))), nl=False)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of a configuration file, for editors."""
    import json

    from stream.configuration import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@config_app.command("key")
def config_key() -> None:
    """Make an API key and its hash for server.api_keys."""
    from stream.access.auth import hash_key, new_key

    key = new_key()
    typer.echo(f"key:    {key}\nsha256: {hash_key(key)}")


def main() -> None:
    """Entry point of the `lookout` command."""
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: list[str]) -> int:
    """Carry out a command line; returns the exit status and prints failures as one line."""
    try:
        status = app(arguments or ["--help"], prog_name="lookout", standalone_mode=False)
    except typer.TyperException as error:
        return _fail(f"{_where(error)}{error.format_message()}", 2)
    except ConfigError as error:
        return _fail(str(error), 2)
    except Unauthorized as error:
        return _fail(f"{error} (here: --key KEY, or LOOKOUT_API_KEY in the environment)", 1)
    except LookoutError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    except BrokenPipeError:
        return 1  # whoever read our output has gone
    return status if isinstance(status, int) else 0


def _fail(text: str, status: int) -> int:
    print(f"lookout: {' '.join(text.split())}", file=sys.stderr)
    return status


def _where(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "lookout")
    return f"{path.removeprefix('lookout').strip()}: ".removeprefix(": ")
