"""`comfynb demo`: everything once, on a local ComfyDeploy."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from comfynb.cli import show


def demo(
    out: Path = typer.Option(Path("comfynb-outputs"), help="Folder for the picture."),
    prompt: str = typer.Option("a red fox in the snow", help="What to draw."),
) -> None:
    """Show it all once, without a key or a network: connect, look, run.

    Example: comfynb demo --out pictures
    """
    from comfynb.connecting import connect

    with connect(sandbox=True) as ws:
        show.heading("1. Connect")
        show.facts(
            [
                ("server", f"{ws.url} (a sandbox in this process)"),
                ("key", "made by the sandbox"),
                ("same in Python", "ws = comfynb.connect(sandbox=True)"),
            ]
        )
        show.heading("2. Look")
        typer.echo("\n  ws.catalog()")
        show.table(ws.catalog(), ["name", "standard_name", "required_inputs", "output_kind", "machine"])
        typer.echo("\n  ws.machines()")
        show.table(ws.machines(), ["name", "type", "gpu", "status"])
        show.heading('3. Run: ws.run("text2img", prompt=…, seed=7)')
        run = ws.run("text2img", prompt=prompt, seed=7)
        show.facts([("status", run.status), ("run", run.id), ("machine", run.facts().machine or "-")])
        for path in run.download(out):
            typer.echo("")
            show.line(f"Saved {path}")
    me = Path(sys.argv[0])
    comfynb = me if me.name.startswith("comfynb") else Path("comfynb")
    typer.echo("\nNext:")
    show.line(f'COMFYNB_SANDBOX=1 {comfynb} workflow text2img --input prompt="a red fox" --execute')
    show.line(f"{comfynb.with_name('pip')} install -e '.[lab]' && {comfynb} lab")
