"""Compare what the demonstration signalled with a replay of the same bars, inside the agent's image.

Runs as ``python -c "$(cat docker/trials/replay_demo.py)" TAPE_START`` with the demonstration's volume and settings, and
prints one line of JSON. The replay is one process that sees the same exchange on a stepped clock.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from agent.testing.undisturbed import Past, content, undisturbed
from perpfut_lib.artifacts import AgentFolder, Run, Signal
from perpfut_lib.config import load_profile

MARKET = ("data.source=sim", "data.simulation.days=37", "data.simulation.symbols=5", "data.simulation.planted_pairs=2")
"""The market of docker/compose.yml's exchange."""


def main():
    """Replay and compare."""
    profile = load_profile(os.environ["PERPFUT_PROFILE"], [*os.environ["PERPFUT_SETTINGS"].split(), *MARKET])
    folder = AgentFolder.of(Run.named(profile.name))
    lines = folder.decisions.read_text().splitlines()
    signals = list({each.bar_close: each for each in map(Signal.model_validate_json, lines)}.values())
    with tempfile.TemporaryDirectory() as scratch:
        replayed = undisturbed(profile, Past(folder, int(sys.argv[1]), signals), Path(scratch) / "agent")
    differing = [
        {"bar_close": ours.bar_close, "live": content(ours), "replay": content(theirs)}
        for ours, theirs in zip(signals, replayed, strict=True)
        if content(ours) != content(theirs)
    ]
    told = {
        "signals": len(signals),
        "repeated": len(lines) - len(signals),
        "with_positions": sum(bool(signal.legs) for signal in signals),
        "equal": len(signals) - len(differing),
        "late_ms": sorted(each.created_at - each.bar_close for each in signals),
        "differing": differing[:3],
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
