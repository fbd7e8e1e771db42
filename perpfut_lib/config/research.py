"""Settings of the research stages: cointegration, features, environment, training, evaluation."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from perpfut_lib.config.base import Duration, Section
from perpfut_lib.config.presets import STUDY, Algorithm, Preset, preset_values


class CointegrationConfig(Section):
    """Rolling Engle-Granger screen."""

    formation: Duration = Field(default="3d")  # type: ignore[assignment]
    """Length of the formation window, which ends where trading begins."""
    trading: Duration = Field(default="1d")  # type: ignore[assignment]
    """Length of the trading window; windows follow each other without overlap, aligned to it in UTC."""
    min_correlation: float = Field(0.85, ge=-1, le=1)
    """Least Pearson correlation of log prices over the formation window."""
    max_pvalue: float = Field(0.05, gt=0, le=1)
    """Largest MacKinnon p-value of the residual test."""
    top: int = Field(5, ge=1)
    """Number of pairs traded per window, the most correlated first."""
    fdr: float | None = Field(None, gt=0, lt=1)
    """Benjamini-Yekutieli false-discovery rate over all tests of a window; none by default."""
    maxlag: int | None = Field(None, ge=0)
    """Most lags of the augmented Dickey-Fuller regression; by default Schwert's 12 (n/100)^(1/4)."""
    autolag: Literal["aic", "bic"] | None = "aic"
    """Criterion that picks the lag; none uses ``maxlag`` itself."""
    direction: Literal["best", "both", "listed"] = "best"
    """Which regression a pair is judged by: ``best`` tests both directions and keeps the one with the smaller
    statistic; ``both`` does so too, but both must pass; ``listed`` tests only the alphabetically first symbol on the
    second, as the original study did."""
    placebos: int = Field(10, ge=0)
    """Surrogate panels without any relation on which the screen is run to see what passes by chance."""
    correlation: Literal["formation", "whole"] = "formation"
    """Bars that the correlation is taken over: the formation window, or (seed rules only) all data, test included."""
    critical: Literal["engle-granger", "dickey-fuller"] = "engle-granger"
    """Distribution of the residual test: MacKinnon's for estimated residuals, or (seed rules only) that of the plain
    Dickey-Fuller test, which rejects too often."""


class FeaturesConfig(Section):
    """Feature specification and scaling."""

    spec: Literal["default", "seed-rules"] = "default"
    """Which list of features: ours, or the original study's."""
    lookback: int = Field(1, ge=1, le=60)
    """Bars of features stacked into one observation."""
    clip: float = Field(10.0, gt=0)
    """Bound on a scaled feature, in training standard deviations; the share clipped is reported."""
    filter: Literal["memory", "em"] = "memory"
    """Noise of the spread's Kalman filter: ``memory`` is set so that it forgets over eight hours of minutes; ``em`` is
    fitted by expectation maximisation to the formation windows of the training span."""
    em_iterations: int = Field(20, ge=1)
    """Steps of the fit (``filter: em``)."""
    only: tuple[str, ...] | None = None
    """Names of the features to keep; by default all of the list."""


class SlippageConfig(Section):
    """What a market order loses against the fill price, beside the fee."""

    model: Literal["none", "fixed", "impact"] = "none"
    """``fixed``: ``bps`` whatever the size; ``impact``: ``bps`` plus the square-root law."""
    bps: float = Field(1.0, ge=0)
    """Slippage per side whatever the size (half of the bid-ask spread), basis points of traded notional."""
    coefficient: float = Field(1.0, ge=0)
    """Y of the square-root law: slippage = Y x volatility x √(notional / dollar volume), the latter two per bar."""
    capital: float = Field(100_000.0, gt=0)
    """Equity of a pair at the start of its window, quote currency: turns exposure into notional."""
    window: Duration = Field(default="1d")  # type: ignore[assignment]
    """Time before a decision that volatility and volume are measured over."""


class CostsConfig(Section):
    """Trading costs."""

    fees_bps: tuple[float, ...] = (0.0, 1.44, 4.5)
    """Fee regimes: taker fee per side, basis points of traded notional. One agent is trained for each."""
    slippage: SlippageConfig = SlippageConfig()

    @property
    def slippage_bps(self) -> float:
        """Slippage per side whatever the size, basis points of traded notional."""
        return 0.0 if self.slippage.model == "none" else self.slippage.bps


class EnvConfig(Section):
    """The Markov decision process."""

    fill: Literal["next_open", "same_close"] = "next_open"
    """Fill price: the open of the next bar, or (seed rules only) the close just observed."""
    legs: Literal["beta", "equal"] = "beta"
    """Leg weights: a/(1+|β|) and -aβ/(1+|β|), or (seed rules) a/2 and -a/2."""
    pay_funding: bool = True
    """Whether positions pay and receive funding at settlement."""
    risk_aversion: float = Field(0.01, ge=0)
    """λ of the quadratic utility x - (λ/2)x², per unit of x."""
    reward_scale: float = Field(1e4, gt=0)
    """Unit of x per unit of return: 1e4 makes x basis points of the pair's equity."""
    reward_clip: float | None = Field(None, gt=0)
    """Bound on |reward|; none by default."""
    latency: int = Field(0, ge=0, le=5)
    """Bars by which the fill comes later than the next open."""
    turnover_penalty_bps: float = Field(0.0, ge=0)
    """Reward taken per unit of turnover beside its cost, basis points; zero by default."""
    band: float = Field(0.0, ge=0, le=1)
    """Half-width of the no-trade band in exposure, for policies that bring none of their own; 0 for none."""
    max_bars: int = Field(0, ge=0)
    """Decisions after which training cuts an episode short (truncated, not flattened); 0 for never."""


class TrainConfig(Section):
    """Training on the batched environment; why these values is in ``book/decisions``."""

    preset: Preset = "batched"
    """Values of the settings that are not given: ``batched``, tuned for each algorithm on many environments at once;
    ``study``, those of the original study (``perpfut_lib/config/presets.py`` lists both). A setting that is given
    keeps its value."""
    algorithm: Algorithm = "counterfactual-ppo"
    """``counterfactual-ppo``: PPO that follows the market with the sampled and with the mean action; ``sb3-ppo``,
    ``a2c``, ``sac``, ``dqn``: Stable-Baselines3's own, unchanged; ``recurrent-ppo``: sb3-contrib's, with a
    memory (evaluated, but not run live)."""
    total_steps: int = Field(1_200_000, ge=1)
    """Environment steps per agent; equal for every fee regime and seed."""
    horizons: Literal["equal", "unequal"] = "equal"
    """``equal``: every fee regime trains ``total_steps``; ``unequal`` (seed rules only): the first one does, all others
    half as many, as the original's regimes trained for between two and four million steps."""
    seeds: int = Field(1, ge=0)
    """Number of seeds per fee regime; 0 trains nothing and leaves the rules to themselves."""
    first_seed: int = Field(42, ge=0)
    """First seed; the others follow by one."""
    n_envs: int = Field(256, ge=1)
    """Environments stepped together."""
    n_steps: int = Field(32, ge=1)
    """Steps per environment and rollout."""
    batch_size: int = Field(2048, ge=1)
    """Samples per gradient step."""
    n_epochs: int = Field(6, ge=1)
    """Passes over a rollout."""
    learning_rate: float = Field(1e-3, gt=0)
    """Learning rate at the start."""
    final_learning_rate: float = Field(1e-5, gt=0)
    """Learning rate at the end; linear in between."""
    gamma: float = Field(0.99, gt=0, le=1)
    """Discount per bar."""
    gae_lambda: float = Field(0.95, ge=0, le=1)
    """λ of generalised advantage estimation (all but ``counterfactual-ppo``, which follows the market itself)."""
    value_lambda: float = Field(0.95, ge=0, le=1)
    """λ of the returns that the value network is fitted to (``counterfactual-ppo``)."""
    clip_range: float = Field(0.2, gt=0)
    """PPO's clip on the probability ratio."""
    entropy_coef: float = Field(0.0, ge=0)
    """Weight of the entropy bonus (``sb3-ppo``, ``a2c``, ``recurrent-ppo``)."""
    value_coef: float = Field(0.5, ge=0)
    """Weight of the value loss."""
    max_grad_norm: float = Field(0.5, gt=0)
    """Gradient norm bound."""
    target_kl: float | None = Field(0.02, gt=0)
    """Stop a rollout's epochs beyond 1.5 times this divergence."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers, policy and value alike."""
    activation: Literal["relu", "tanh"] = "relu"
    """Activation of the hidden layers."""
    exploration: tuple[float, float, float] = (0.3, 0.2, 0.05)
    """Standard deviation of the action at the start, where the fee begins to rise, and at the end
    (``counterfactual-ppo``)."""
    log_std_init: float = -1.0
    """Initial log standard deviation of the action (``sb3-ppo``, ``a2c`` and ``recurrent-ppo``, which learn it)."""
    sde: bool = False
    """State-dependent exploration, gSDE (all but ``counterfactual-ppo`` and ``dqn``)."""
    replay_size: int = Field(131_072, ge=1)
    """Transitions that are remembered to learn from (``sac``, ``dqn``)."""
    learning_starts: int = Field(8_192, ge=0)
    """Random steps before learning starts (``sac``, ``dqn``)."""
    gradient_steps: int = Field(16, ge=1)
    """Gradient steps per step of all environments (``sac``, ``dqn``)."""
    tau: float = Field(0.005, gt=0, le=1)
    """Share of the way that the target network moves at a time (``sac``, ``dqn``)."""
    choices: int = Field(9, ge=3)
    """Equally spaced exposures from -1 to 1 to choose from (``dqn``); an odd number, so that flat is among them."""
    epsilon: tuple[float, float] = (0.3, 0.02)
    """Share of training over which the share of random actions falls from all, and where it ends (``dqn``)."""
    lstm: int = Field(32, ge=1)
    """Memory cells (``recurrent-ppo``)."""
    fee_ramp: tuple[float, float] = (0.2, 0.5)
    """Shares of training between which the fee rises from zero to its full value, and the band with it."""
    band_per_root_fee: float = Field(0.6, ge=0)
    """Half-width of the no-trade band in exposure, per cube root of the fee in basis points
    (``counterfactual-ppo``); 0 for none."""
    sparsity: float = Field(1.0, ge=0)
    """Pull on the weights of each input of the policy per gradient step, in learning rates: inputs that say nothing
    fall silent (``counterfactual-ppo``); 0 for none."""
    averaging: float = Field(0.2, ge=0, le=1)
    """Length of the running mean of the weights, which is what is validated and exported, as a share of the gradient
    steps so far (``counterfactual-ppo``); 0 for the weights themselves."""
    overlay: float = Field(0.25, ge=0, le=1)
    """Largest correction that the network makes to the base rule's no-trade region, in exposure
    (``counterfactual-ppo``); 0 for no base rule: the network alone, with a band that depends on the fee only."""
    base_steps: int = Field(200, ge=1)
    """Gradient steps of the base rule, of 16 windows each (``overlay``)."""
    base_hidden: int = Field(24, ge=1)
    """Width of its two hidden layers."""
    placebos: int = Field(3, ge=0)
    """Placebo markets, made of the training span's bars, whose pairs the base rule learns to leave alone."""
    keep_errors: float = Field(2.0, ge=0)
    """Standard errors of the paired difference on the validation episodes by which the corrected rule must beat the
    base rule to be exported instead of it (``overlay``)."""
    abstain: bool = True
    """Export a flat policy where nothing that was learned beats doing nothing on the validation episodes."""
    cross_fit: int = Field(0, ge=0, le=20)
    """Parts that the training windows are cut into, so that the base rule is also judged on windows that it was not
    fitted to before a flat policy is exported (``abstain``, ``overlay``); 0 for validation alone."""
    exploring_bars: int = Field(64, ge=0)
    """Bars after which an environment starts anew at a random bar and exposure
    (``counterfactual-ppo``); 0 for whole episodes."""
    threads: int = Field(1, ge=1)
    """Torch threads per agent."""
    evaluations: int = Field(10, ge=1)
    """Validation rounds per training; the best policy is kept."""

    @model_validator(mode="after")
    def _take_preset(self) -> Self:
        # Past the list of what was given, so that another preset or algorithm, chosen later, brings its own values.
        given, study = self.model_fields_set, self.preset == "study"
        if "algorithm" not in given and study:
            self.__dict__["algorithm"] = STUDY["algorithm"]
        values = preset_values(self.preset, self.algorithm)
        self.__dict__.update({name: value for name, value in values.items() if name not in given})
        return self

    @field_validator("choices")
    @classmethod
    def _flat_is_a_choice(cls, choices: int) -> int:
        if choices % 2 == 0:
            raise ValueError("an odd number of exposures has flat among them")
        return choices

    @property
    def corrects(self) -> bool:
        """Whether the network corrects a base rule."""
        return self.algorithm == "counterfactual-ppo" and self.overlay > 0.0

    def band(self, fee_bps: float) -> float:
        """Return the half-width of the no-trade band at a fee: it grows with the cube root of proportional costs."""
        return self.band_per_root_fee * fee_bps ** (1.0 / 3.0) if self.algorithm == "counterfactual-ppo" else 0.0


class EvaluateConfig(Section):
    """Out-of-sample evaluation."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Level of the intervals."""
    bootstrap: int = Field(2000, ge=10)
    """Resamples of the stationary block bootstrap."""
    block_days: int = Field(3, ge=1)
    """Mean block length of the bootstrap, in days."""
    seed: int = 0
    """Seed of the bootstrap."""
    portfolio: Literal["calendar", "concatenated"] = "calendar"
    """``calendar``: pairs of one day side by side; ``concatenated`` (seed rules only): strung together in turn."""
    benchmark: Literal["flat", "constant-spread"] = "flat"
    """What the excess return is measured against: not trading, or (seed rules only) a constant +25/-25 % spread that
    pays no costs."""
    only: tuple[str, ...] | None = None
    """Names of the agents and baselines to test; by default all."""
    cross_fees: bool = True
    """Whether agents are tested at fees that they were not trained with, too."""
    cost_curve_bps: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    """Costs per side at which the positions of every agent are priced anew, basis points."""


class ComputeConfig(Section):
    """Where independent tasks run. Never part of a hash: the answer is the same everywhere."""

    backend: Literal["local", "dask"] = "local"
    """``local``: processes of this machine; ``dask``: a Dask cluster."""
    workers: int = Field(0, ge=0)
    """Processes; 0 takes the number of cores. A Dask cluster that already runs keeps its own number."""
    scheduler: str | None = None
    """Address of a running Dask scheduler, such as ``tcp://host:8786``; by default a cluster on this machine."""
    checkpoint: int = Field(16, ge=0)
    """Rollouts between checkpoints, from which a killed training goes on bit for bit; 0 for none. They lie beside the
    run's stages, where the workers must be able to write, and are removed when the stage is complete."""
    tensorboard: bool = False
    """Whether training writes event files to ``artifacts/<run>/tensorboard`` (only training that runs: a stage that is
    up to date is not run again for it)."""
    mlflow: str | None = None
    """Folder or address of MLflow (extra ``mlflow``) to which ``perpfut run`` writes settings, learning curves and
    results when its chapters are done."""
