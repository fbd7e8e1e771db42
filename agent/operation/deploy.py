"""Hand a trained policy over to an agent: one copy that research cannot change while the agent runs."""

import shutil
from pathlib import Path

from agent.decision.context import TradingPolicy
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile
from perpfut_lib.errors import MissingInputError


def deploy(profile: Profile, research: Path) -> TradingPolicy:
    """Copy the profile's policy from a folder of research runs to where the agent looks for it, and return it.

    Parameters
    ----------
    profile : Profile
        Names the run and, by ``agent.policy``, the policy.
    research : Path
        Folder of runs, such as ``artifacts/`` of the machine that trained.

    Raises
    ------
    MissingInputError
        There is no such policy.
    ArtifactError, PolicyError
        It is not what its card says; what was deployed before stays.
    """
    run, name = Run.named(profile.name), profile.agent.policy
    source = Run(research / profile.name).stage("train").path
    wanted = [source / "manifest.json", *(source / "policies" / f"{name}{end}" for end in (".json", ".safetensors"))]
    for file in wanted:
        if not file.is_file():
            remedy = f"run: perpfut run --profile {profile.name}, or set agent.policy"
            raise MissingInputError(f"no {file.name} in {file.parent}", f"the policy {name}", remedy)
    partial = run.path / ".train.deploying"
    shutil.rmtree(partial, ignore_errors=True)
    for file in wanted:
        target = partial / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    policy = TradingPolicy.load(partial / "policies" / f"{name}.json", profile.agent.policy_sha256)
    shutil.rmtree(run.path / "train", ignore_errors=True)
    partial.rename(run.path / "train")
    return policy
