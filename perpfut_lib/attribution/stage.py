"""The attribution stage: the ladder, each fault alone, and the sweep over fills."""

from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.attribution.ladder import LADDER, climb
from perpfut_lib.attribution.sweep import SWEEP, sweep
from perpfut_lib.config import Profile


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``ladder.parquet`` and ``sweep.parquet``.

    Parameters
    ----------
    profile : Profile
        The correct rules; ``attribution`` says what differs from them on each rung.
    run : Run
        Holds the stages up to ``train``. Every rung is a run of its own beside it; stages that a correction does not
        touch are shared between them by their keys.
    folder : StageFolder
        Where artifacts go.
    """
    folder.write_table(LADDER, climb(profile, run))
    folder.write_table(SWEEP, sweep(profile, run))
