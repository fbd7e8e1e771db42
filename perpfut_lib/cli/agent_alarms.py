"""``perpfut agent alarms``: the time from each fault of a closed loop to the message about it."""

import json as json_module
from typing import Annotated

import typer


def alarms(
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the table, which the book shows.")] = False,
) -> None:
    """Inject every fault into a simulated closed loop and print how long its message takes; fail if one makes none."""
    import logging

    from agent.demo import setup
    from agent.testing.alarm_drill import alarm_drill, result
    from perpfut_lib.artifacts import git_commit, publish

    logging.disable(logging.CRITICAL)  # the loop's warnings are of the faults
    found = result(list(alarm_drill(*setup.prepared())))
    if keep:
        publish("agent/alarms", {"git_commit": git_commit()} | found)
    if json:
        typer.echo(json_module.dumps(found))
        return
    for row in found["rows"]:
        typer.echo(f"{row['fault']:<30} {row['severity']:<9} {row['seconds']:>5.0f} s  {row['told']}")
