"""The small market of the demonstration, and where in it the closed loop begins."""

from typing import Final

from agent.demo.rule import export_rule
from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration import load_windows
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.errors import MissingInputError

POLICY: Final = "z-score"
FEE_BPS: Final = 4.5
SETTINGS: Final = (
    "data.simulation.days=5",
    "data.simulation.symbols=5",
    "data.simulation.planted_pairs=2",
    "cointegration.formation=6h",
    "cointegration.trading=2h",
    "cointegration.min_correlation=-1",
    "cointegration.top=2",
    f"agent.policy={POLICY}",
    "agent.hint=false",
    "agent.risk.require_performance=true",
    "agent.risk.max_pvalue=null",
    "agent.max_clock_skew_ms=60000",  # the exchange's clock runs several times as fast as answers travel
)


def demo_profile() -> Profile:
    """Return the settings of the demonstration."""
    return load_profile("smoke", SETTINGS)


def demo_run() -> Run:
    """Return the run that it keeps its files in."""
    return Run(Run.named("smoke").path.with_name("demo"))


def export(run: Run) -> None:
    """Put the rule where training would have put a policy."""
    with run.commit("train", {"policy": POLICY}) as stage:
        export_rule(stage.file(f"policies/{POLICY}.json"), run, FEE_BPS)


def prepared() -> tuple[Profile, Run, int]:
    """Return settings, run with panel and policy, and first decision (ms UTC); what is missing of it is made."""
    profile, run = demo_profile(), demo_run()
    pipeline.ensure("environment", profile, run)
    export(run)
    return profile, run, first_window(run)


def first_window(run: Run, pairs: int = 2) -> int:
    """Return the start of the first tested window in which so many pairs passed, ms UTC.

    Raises
    ------
    MissingInputError
        There is none.
    """
    windows = load_windows(run)
    fit = windows[(windows["split"] == "test") & (windows["passed"] >= pairs)]
    if fit.empty:
        raise MissingInputError(f"no tested window with {pairs} pairs", "at least one", "simulate more days")
    return int(fit["start"].min())
