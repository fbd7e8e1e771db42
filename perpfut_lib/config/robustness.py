"""Settings of the robustness checks: significance tests, walk-forward folds, placebo worlds."""

from pydantic import Field

from perpfut_lib.config.base import Duration, Section


class RobustnessConfig(Section):
    """How hard a result is shaken."""

    configurations: int = Field(35, ge=1)
    """Configurations that were tried before these settings were fixed, as decision record 9 counts them; with the
    trials that ``perpfut tune`` recorded and the agents tested they are the trials of the deflated Sharpe ratio."""
    cscv_blocks: int = Field(10, ge=2, multiple_of=2)
    """Blocks of time that the probability of backtest overfitting is computed from."""
    folds: int = Field(2, ge=1)
    """Walk-forward folds: as many test spans of equal length, each behind all that came before it."""
    fold_steps: int | None = Field(None, ge=1)
    """Environment steps per agent in a fold, one seed for each fee; by default as many as ``train.total_steps``."""
    fold_test: float = Field(0.5, gt=0, lt=1)
    """Share of the data's days that the folds' test spans take together, the last ones."""
    purge: Duration | None = None
    """Time after the end of one span in which no window of the next one may begin; none takes the formation window."""
    embargo: Duration = Field(default="1d")  # type: ignore[assignment]
    """Time that comes on top of the purge."""
    placebos: int = Field(6, ge=0)
    """Placebo worlds: the same data with bars drawn at random, on which tuned rules may find nothing."""
