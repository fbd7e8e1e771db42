"""Try the agent's image for real and publish what was measured: ``python docker/measure.py BYTES BASE RUN...``.

``BYTES`` is the image's size, ``BASE`` that of the image it stands on; ``RUN`` is the command that runs something in
the image, such as ``docker run --rm -e PERPFUT_PROFILE=smoke -v /tmp/artifacts:/app/artifacts --entrypoint=
perpfut/agent:0.1.0``, with the smoke profile's artifacts, owned by user 10001, in the volume.
"""

import json
import subprocess
import sys
from pathlib import Path

from perpfut_lib.artifacts import publish

MINUTES = 10
SPAN = ("2025-01-09", "2025-01-09T00:10")
"""Ten minutes of the smoke profile's test span."""
HOW = (
    "Measured by `docker/measure.py` in the image itself, as its user, on two busy cores, with the smoke policy: ten "
    "minutes of the test span replayed through the local exchange, every decision equal to the evaluation's; then the "
    "agent beside a local exchange in real time, with a health check every minute. CPU time is reported rather than "
    "time on the clock, because other work ran on the machine. The base was plain Debian with "
    "Python 3.11, in the place of the official image that the Dockerfile names."
)


def main() -> None:
    """Run the trial in the image and publish it."""
    sizes, run = (int(sys.argv[1]), int(sys.argv[2])), sys.argv[3:]
    trial = (Path(__file__).parent / "trial.py").read_text()
    command = [*run, "python", "-c", trial, *SPAN, str(MINUTES)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    for each in (told["start"], *told["replays"]):
        del each["said"]
    path = publish("containers", {"how": HOW, "rows": rows(told, sizes), "trial": told})
    sys.stdout.write(f"{path}\n")


def rows(told: dict, sizes: tuple[int, int]) -> list[dict]:
    """Return the rows of the book's table; a trial that failed has none.

    Raises
    ------
    SystemExit
        A replay decided otherwise than the evaluation, or the agent was unwell.
    """
    live, replays = told["live"], told["replays"]
    failed = told["start"]["rc"] or live["rc"] or any(replay["rc"] for replay in replays)
    if told["user"] == 0 or failed or live["healthy"] < live["minutes"]:
        raise SystemExit(f"the trial failed: {json.dumps(told)}")
    return [
        {"what": "size of the image, uncompressed", "value": round(sizes[0] / 1e9, 2), "unit": "GB"},
        {"what": "of which the base image", "value": round(sizes[1] / 1e9, 2), "unit": "GB"},
        {
            "what": "start, with every check of the doctor",
            "value": round(told["start"]["cpu"], 1),
            "unit": "s of processor",
        },
        {
            "what": "ten minutes of market replayed, compiling first",
            "value": round(replays[0]["cpu"], 1),
            "unit": "s of processor",
        },
        {"what": "the same again", "value": round(replays[1]["cpu"], 1), "unit": "s of processor"},
        {"what": "minutes run in real time", "value": live["minutes"], "unit": "min"},
        {"what": "bars signalled in it", "value": live["bars"], "unit": "bars"},
        {
            "what": "signal after the bar's close, median",
            "value": round(_median(live["late_ms"]) / 1000, 1),
            "unit": "s",
        },
        {"what": "health checks passed", "value": live["healthy"], "unit": f"of {live['minutes']}"},
        {"what": "peak memory of the agent", "value": round(live["peak_mib"]), "unit": "MiB"},
        {"what": "from SIGTERM to the end", "value": round(live["stopped"], 1), "unit": "s"},
    ]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    main()
