"""The commands, and what an error of one becomes."""

from __future__ import annotations

import sys
import warnings

import typer

from comfynb import __version__
from comfynb.cli import api, catalog, demo, health, lab, names, routes, routing_test, sandbox, show, voila, workflow
from comfynb.errors import ComfyError, ConfigurationError, InputError
from comfynb.rules.text import tidy
from comfynb.warnings import ComfyWarning

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

_UsageErrors: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The base of what typer raises for wrong usage; newer versions bring a click of their own."""

app = typer.Typer(
    name="comfynb",
    help="Explore and run ComfyUI workflows on ComfyDeploy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("api")(api.api)
app.command("health")(health.health)
app.command("catalog")(catalog.catalog)
app.command("workflow")(workflow.workflow)
app.command("names")(names.names)
app.command("routes")(routes.routes)
app.command("routing-test")(routing_test.routing_test)
app.command("sandbox")(sandbox.sandbox)
app.command("lab")(lab.lab)
app.command("app")(voila.app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"comfynb {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version and exit."
    ),
) -> None:
    """Explore and run ComfyUI workflows on ComfyDeploy."""


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one sentence on standard error, never a traceback."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", ComfyWarning)
            warnings.showwarning = lambda message, *_, **__: show.line(f"Note: {message}", err=True)
            code = app(args=arguments, standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except _UsageErrors as error:
        error.show()  # type: ignore[attr-defined]
        return USAGE
    except (InputError, ConfigurationError) as error:
        return _say(error, USAGE)
    except ComfyError as error:
        return _say(error, FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has seen enough; typer and rich end the process then.
        sys.stdout = None
        return OK
    except OSError as error:
        # A folder that cannot be written, say; what is the network's comes as an error of ours.
        show.line(f"{error.filename or 'A file'}: {error.strerror or error}.", err=True)
        return FAILED
    return code if isinstance(code, int) else OK


def _say(error: ComfyError, code: int) -> int:
    lines = [
        tidy(line, 2000) if not line.startswith("  ") else f"  {tidy(line, 2000)}" for line in str(error).splitlines()
    ]
    typer.echo("\n".join(lines), err=True)
    return code
