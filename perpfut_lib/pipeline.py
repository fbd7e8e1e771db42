"""The stages of the study in order, and the one function that runs what is missing or out of date."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from perpfut_lib.artifacts import Run, StageFolder, source_hash, stage_key, write_json
from perpfut_lib.compute import run_tasks, worker_count
from perpfut_lib.config import ComputeConfig, Profile


@dataclass(frozen=True)
class Stage:
    """One stage: ``module.run_stage(profile, run, folder)`` reads upstream stages and writes into ``folder``."""

    name: str
    module: str
    sections: tuple[str, ...]
    upstream: tuple[str, ...]

    def room(self) -> Callable[[Profile, Run, StageFolder], None]:
        """Return the function that does the work."""
        function: Callable[[Profile, Run, StageFolder], None] = importlib.import_module(self.module).run_stage
        return function


STAGES: Final = (
    Stage("acquire", "perpfut_lib.acquire.stage", ("data", "quality"), ()),
    Stage("quality", "perpfut_lib.store.stage", ("data", "universe"), ("acquire",)),
    Stage(
        "cointegration",
        "perpfut_lib.cointegration.stage",
        ("cointegration", "split", "universe", "quality"),
        ("quality",),
    ),
    Stage("features", "perpfut_lib.features.stage", ("features", "cointegration"), ("quality", "cointegration")),
    Stage(
        "environment", "perpfut_lib.env.stage", ("env", "costs", "quality"), ("quality", "cointegration", "features")
    ),
    Stage(
        "train",
        "perpfut_lib.train.stage",
        ("train", "costs", "env", "cointegration", "split", "universe"),
        ("quality", "cointegration", "features", "environment"),
    ),
    Stage(
        "evaluate",
        "perpfut_lib.evaluate.stage",
        ("evaluate", "cointegration", "costs", "env"),
        ("acquire", "quality", "cointegration", "features", "environment", "train"),
    ),
    Stage(
        "attribution",
        "perpfut_lib.attribution",
        ("attribution", "split", "quality", "cointegration", "features", "costs", "env", "train", "evaluate"),
        ("quality", "cointegration", "features", "environment", "train"),
    ),
    Stage(
        "robustness",
        "perpfut_lib.robustness",
        ("robustness", "split", "quality", "cointegration", "features", "costs", "env", "train", "evaluate"),
        ("quality", "evaluate"),
    ),
    Stage(
        "replay",
        "agent.replay.stage",
        ("agent", "cointegration", "universe", "quality", "costs", "env", "data"),
        ("quality", "cointegration", "features", "environment", "train"),
    ),
)
BY_NAME: Final = {stage.name: stage for stage in STAGES}


def ensure(name: str, profile: Profile, run: Run | None = None) -> StageFolder:
    """Return the artifacts of a stage, running it and whatever it depends on where they are not current.

    Parameters
    ----------
    name : str
        One of :data:`STAGES`.
    profile : Profile
        Settings; a stage is current while the sections it reads, its inputs and its code are unchanged.
    run : Run, optional
        Where artifacts lie; by default the profile's own folder.

    Returns
    -------
    StageFolder
        Complete and committed.
    """
    run = run or Run.named(profile.name)
    for stage in needed(name):
        depends = _depends(stage, profile, run)
        key = stage_key(depends)
        if not run.is_current(stage.name, key) and not run.adopt(stage.name, key):
            write_json(run.settings, profile.model_dump(mode="json"))
            with run.commit(stage.name, depends) as folder:
                stage.room()(profile, run, folder)
    return run.stage(name)


def ensure_all(name: str, studies: Sequence[tuple[Profile, Run]], compute: ComputeConfig, *, label: str) -> None:
    """Bring a stage of several neighbouring runs up to date, side by side, whatever they share made once.

    Parameters
    ----------
    name : str
        ``train`` or a stage behind it.
    studies : sequence of (Profile, Run)
        Settings and folder of each run.
    compute : ComputeConfig
        With several local workers each takes a study at a time; otherwise the studies follow each other.
    label : str
        Text of the progress bar.
    """
    for profile, run in studies:  # cheap, and shared by most of them
        ensure(BY_NAME["train"].upstream[-1], profile, run)
    beside = compute.backend == "local" and worker_count(compute) > 1
    alone = {"compute.workers": 1} if beside else {}
    lanes: dict[str, list[tuple[Profile, Run]]] = {}
    for profile, run in studies:
        key = stage_key(_depends(BY_NAME["train"], profile, run))
        lanes.setdefault(key, []).append((profile.changed(alone, name=profile.name), run))
    longest_first = sorted(lanes.values(), key=lambda lane: -lane[0][0].train.seeds)
    tasks = [(name, lane) for lane in longest_first]
    run_tasks(_ensure_lane, tasks, compute if beside else ComputeConfig(workers=1), label=label)


def _ensure_lane(task: tuple[str, list[tuple[Profile, Run]]]) -> None:
    """Run studies that train the same agents one after the other: the first trains, the others take them over."""
    name, lane = task
    for profile, run in lane:
        ensure(name, profile, run)


def is_current(name: str, profile: Profile, run: Run | None = None) -> bool:
    """Return whether a stage and all that it depends on are up to date; nothing is run."""
    run = run or Run.named(profile.name)
    return all(run.is_current(stage.name, stage_key(_depends(stage, profile, run))) for stage in needed(name))


def needed(name: str) -> tuple[Stage, ...]:
    """Return the stages that ``name`` depends on, upstream first, and itself last."""
    wanted = {name}
    for stage in reversed(BY_NAME.values()):
        if stage.name in wanted:
            wanted.update(stage.upstream)
    return tuple(stage for stage in BY_NAME.values() if stage.name in wanted)


def _depends(stage: Stage, profile: Profile, run: Run) -> dict[str, str]:
    """Return what the stage's result follows from, given that its upstream stages are current."""
    depends = {"config": profile.sections_hash(stage.sections), "code": source_hash(stage.module)}
    depends |= {upstream: run.stage(upstream).manifest().content_hash() for upstream in stage.upstream}
    if not stage.upstream:
        depends |= importlib.import_module(stage.module).fingerprint(profile)
    return depends


def fingerprint(profile: Profile) -> dict[str, str]:
    """Return the hashes of the input files; a file that is missing is named before anything is run."""
    first = next(iter(BY_NAME.values()))
    hashes: dict[str, str] = importlib.import_module(first.module).fingerprint(profile)
    return hashes
