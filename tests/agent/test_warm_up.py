"""Compile ahead: the first real bar meets no compiler."""

import json
import os
import subprocess
import sys
from pathlib import Path

from agent.operation.warm_up import compile_ahead

FIRST_TICK = """
import json, sys
from pathlib import Path
from numba.core.dispatcher import Dispatcher
from agent.operation.warm_up import compile_ahead
from perpfut_lib.artifacts import Run
from perpfut_lib.config import load_profile
from tests.agent.world import SETTINGS, Stage, World

def versions():
    modules = [module for name, module in sys.modules.items() if name.startswith(("perpfut_lib", "agent"))]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {f"{each.py_func.__module__}.{each.py_func.__name__}": len(each.overloads) for each in found}

stage = Stage.on_panel(World(load_profile("smoke", SETTINGS), Run(Path(sys.argv[1]))), Path(sys.argv[2]))
stage.clock.now += stage.grace
with stage.started() as ticks:
    compile_ahead(ticks.context)
    before = versions()
    ticks.fast_tick(stage.world.windows()[0][0])
    signal = ticks.context.memory.signal
met = [name for name, count in versions().items() if count != before.get(name, 0)]
print(json.dumps({"met": met, "compiled": sum(before.values()), "statuses": [pair.status for pair in signal.pairs]}))
"""


def test_first_tick_needs_no_version_that_was_not_made_ahead(stage, world):
    """In a process that only ran :func:`compile_ahead`, a tick that trades calls compiled functions of no new type."""
    start = world.windows()[0][0]
    stage.clock.now = start + stage.grace
    with stage.started() as ticks:
        assert ticks.slow_tick(start)
    command = [sys.executable, "-c", FIRST_TICK, str(world.run.path), str(stage.folder.path)]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["compiled"] > 10
    assert "active" in told["statuses"], told["statuses"]
    assert told["met"] == []


def test_without_a_policy_nothing_is_compiled(stage):
    """An agent that is flat for want of a policy starts at once."""
    compile_ahead(stage.with_policy(None).context())


def test_a_policy_that_cannot_decide_does_not_keep_the_agent_from_starting(stage, monkeypatch, caplog):
    """It is reported; the first tick then goes flat by its own rules."""
    from agent.operation import warm_up
    from perpfut_lib.errors import PolicyError

    def broken(*_):
        raise PolicyError("an action that is not finite", "a finite one", "check the policy")

    monkeypatch.setattr(warm_up, "decisions", broken)
    compile_ahead(stage.context())
    assert "could be compiled ahead" in caplog.text
