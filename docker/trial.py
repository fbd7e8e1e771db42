"""What is tried and timed inside the agent's image: starts, a replay, and the real thing against a local exchange.

Runs in the container, as ``python -c "$(cat docker/trial.py)" FROM TO MINUTES``, and prints one line of JSON. Only the
standard library is used, and the image's own command.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

SERVE = (
    "perpfut venue serve --clock real --port 8787 --days 9 --set simulation.symbols=6 --set simulation.planted_pairs=2"
)
LOCAL = "agent.exchange.url=http://127.0.0.1:8787"


def timed(command):
    """Return wall seconds, processor seconds, exit status and output of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": busy, "rc": done.returncode, "said": (done.stdout + done.stderr)[-400:]}


def serving():
    """Start the local exchange and return its process once it answers."""
    process = subprocess.Popen(SERVE.split(), stdout=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen("http://127.0.0.1:8787/fapi/v1/ping", timeout=5).close()
            return process
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the local exchange did not start")


def lived(minutes):
    """Run the agent for some minutes of real time and return what it did."""
    exchange = serving()
    started = time.monotonic()
    agent = subprocess.Popen(["perpfut", "agent", "run", "--set", LOCAL], stderr=subprocess.DEVNULL)
    log = Path("artifacts") / os.environ["PERPFUT_PROFILE"] / "agent" / "logs" / "signals.jsonl"
    while not log.is_file() and time.monotonic() - started < 300:
        time.sleep(0.25)
    first, checks = time.monotonic() - started, []
    for _ in range(minutes):
        time.sleep(60)
        checks.append(timed("perpfut agent status --max-age 90"))
    peak = int(
        next(line for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines() if "VmHWM" in line).split()[1]
    )
    stopping = time.monotonic()
    agent.send_signal(signal.SIGTERM)
    agent.wait(60)
    stopped = time.monotonic() - stopping
    exchange.terminate()
    exchange.wait(60)
    signals = [json.loads(line) for line in log.read_text().splitlines()]
    return {
        "minutes": minutes,
        "first": first,
        "signals": len(signals),
        "bars": len({each["bar_close"] for each in signals}),
        "late_ms": sorted(each["created_at"] - each["bar_close"] for each in signals),
        "reasons": sorted({reason for each in signals for reason in each["reasons"]}),
        "pairs": max(len(each["pairs"]) for each in signals),
        "healthy": sum(check["rc"] == 0 for check in checks),
        "check_cpu": sorted(check["cpu"] for check in checks)[len(checks) // 2] if checks else None,
        "peak_mib": peak / 1024,
        "stopped": stopped,
        "rc": agent.returncode,
        "writable": writable(),
    }


def writable():
    """Return the folders of the image that this user can write to."""
    return sorted(str(folder) for folder in Path("/").glob("*/*") if folder.is_dir() and os.access(folder, os.W_OK))


if __name__ == "__main__":
    start, end, minutes = sys.argv[1:4]
    replay = f"perpfut agent replay --from {start} --to {end}"
    subprocess.run("perpfut agent control run".split(), check=True, stdout=subprocess.DEVNULL)
    starts = sorted((timed("perpfut agent doctor --offline") for _ in range(3)), key=lambda each: each["cpu"])
    replays = [timed(replay), timed(replay)]
    told = {"user": os.getuid(), "start": starts[1], "replays": replays, "live": lived(int(minutes))}
    sys.stdout.write(json.dumps(told) + "\n")
