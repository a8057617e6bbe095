"""``ietool env``."""

from __future__ import annotations

import typer

from ietool.cli.common import examples, print_json
from ietool.cli.options import JsonOption


def env_cli(json: JsonOption = False) -> None:
    """Show versions, devices and what is missing.

    Attach this to a bug report.
    """
    from ietool.environment import report
    from ietool.report.render import console, render
    from ietool.tables import Cell, Table

    found = report()
    if json:
        print_json(found)
        return
    versions: list[tuple[Cell, Cell]] = [("ietool", found["ietool"]), ("python", found["python"])]
    versions += [("platform", found["platform"]), *found["versions"].items()]
    devices: list[tuple[Cell, Cell, Cell]] = []
    for device in found["devices"]:
        size = f"{device['cores']} cores" if "cores" in device else f"{device.get('memory_gib', '?')} GiB"
        devices.append((device["name"], device["model"], size))
    cpu = ", ".join(f"{key} {'unknown' if value is None else value}" for key, value in found["cpu"].items())
    out = console()
    render(Table("Versions", ("what", "version"), versions), out)
    render(Table("Devices", ("name", "model", "size"), devices, f"cpu: {cpu}"), out)
    render(Table("Missing", ("what",), [(line,) for line in found["missing"]] or [("nothing",)]), out)
    render(Table("Folders", ("what", "where"), list(found["paths"].items())), out)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "env",
        epilog=examples(
            "ietool env",
            "ietool env --json > env.json",
        ),
    )(env_cli)
