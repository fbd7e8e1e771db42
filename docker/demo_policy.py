"""Write the demonstration's policy, the z-score rule, to where ``perpfut agent deploy`` looks: no training needed.

``python docker/demo_policy.py`` computes the features of the demonstration's small market and exports the rule. The
result is committed, so that ``docker compose --profile demo up`` runs from a clean clone.
"""

import shutil
import sys
from pathlib import Path
from typing import Final

from agent.demo import setup
from perpfut_lib import pipeline

FOLDER: Final = Path(__file__).resolve().parent / "demo-policy"


def main() -> None:
    """Export the rule and copy what a deployment reads."""
    profile, run = setup.demo_profile(), setup.demo_run()
    pipeline.ensure("environment", profile, run)
    setup.export(run)
    source, target = run.stage("train").path, FOLDER / profile.name / "train"
    shutil.rmtree(FOLDER, ignore_errors=True)
    (target / "policies").mkdir(parents=True)
    for name in ("manifest.json", *(f"policies/{setup.POLICY}.{end}" for end in ("json", "safetensors"))):
        shutil.copyfile(source / name, target / name)
        sys.stdout.write(f"{target / name}\n")


if __name__ == "__main__":
    main()
