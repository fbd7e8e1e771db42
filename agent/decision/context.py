"""What the nodes of a graph work with: settings, folder, market, clock, policy. A graph gets it as its context."""

import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from agent.clock import Clock
from agent.decision.pair_update import UpdatedPair, UpdateRules
from agent.feed.market import MarketData
from agent.observation.annotator import Annotator
from agent.state.memory import Memory, load
from perpfut_lib.accounting import BPS, Costs
from perpfut_lib.artifacts import ActivePairs, AgentFolder, Provenance, Run, Signal, decode, file_sha256, git_commit
from perpfut_lib.artifacts.contract_io import content_digest, read_content
from perpfut_lib.config import Profile
from perpfut_lib.errors import ArtifactError, ConfigError, MissingInputError, PerpfutError, PolicyError
from perpfut_lib.features import FeatureSpec, Scaler
from perpfut_lib.policies import ExportedPolicy

log = logging.getLogger(__name__)


class PairsChangedError(ArtifactError):
    """The active pairs are not those that a tick began with, as after a crash over which new ones were published."""


@dataclass(frozen=True)
class TradingPolicy:
    """A trained policy with the features and the scaling that it was trained on."""

    exported: ExportedPolicy
    spec: FeatureSpec
    scaler: Scaler
    digest: str
    """SHA-256 of its card, which names its weights by hash."""
    fee_bps: float
    """Fee that it was trained with; the agent's own ledger charges it."""
    z_limit: float
    """Largest |z| of a spread that scaling does not clip."""

    @classmethod
    def load(cls, card: Path, weights_sha256: str | None = None) -> Self:
        """Read a policy by its card.

        Raises
        ------
        MissingInputError
            The card or its weights are not there.
        ArtifactError
            They are not what their hashes say.
        PolicyError
            The card contradicts itself.
        """
        exported = ExportedPolicy.load(card)
        if weights_sha256 is not None and weights_sha256 != exported.card.weights_sha256:
            found = f"weights with sha256 {exported.card.weights_sha256}"
            raise ArtifactError(found, f"{weights_sha256}, as agent.policy_sha256 asks", "deploy the right policy")
        spec, scaler = FeatureSpec.from_json(exported.card.feature_spec), Scaler.from_json(exported.card.scaler)
        if not spec.names == scaler.names == exported.card.feature_names or spec.lookback != exported.card.lookback:
            raise PolicyError("features, scaler and network that differ", "one list of features", "export it again")
        fee = float(exported.card.training["fee_bps"])
        return cls(exported, spec, scaler, file_sha256(card), fee, _z_limit(scaler))


@dataclass
class TickContext:
    """Everything that nodes need besides their state."""

    profile: Profile
    """Settings."""
    folder: AgentFolder
    """Documents and memory."""
    market: MarketData
    """Where data come from."""
    clock: Clock
    """What time it is."""
    timeframe: int
    """Length of a bar, ms."""
    policy: TradingPolicy | None
    """The policy; none where it cannot be trusted, and then everything is flat."""
    run_id: str = "agent"
    """Name of this run in all documents."""
    history_from: int | None = None
    """First bar of the symbols' recursions, ms UTC; none: as long before the formation as ``agent.warmup`` says."""
    annotator: Annotator | None = None
    """Describes what the governor did; none is the rule."""
    scratch: dict[int, dict[str, UpdatedPair]] = field(default_factory=dict)
    """Pairs as advanced in the tick at hand, by its bar: saves doing the same twice, and is empty after a crash."""
    logged: bool = False
    """Whether this process has written to the log of signals: from then on its end is known."""
    _memory: Memory | None = None
    _pairs: tuple[bytes, ActivePairs, str] | None = None

    @property
    def rules(self) -> UpdateRules:
        """Return what is the same for all pairs; :class:`PolicyError` without a policy."""
        if self.policy is None:
            raise PolicyError("no policy", "one that fits its card", "see the log")
        costs = Costs(self.policy.fee_bps * BPS, self.profile.costs.slippage_bps * BPS)
        return UpdateRules(self.policy.spec, costs, self.timeframe)

    @property
    def memory(self) -> Memory:
        """Return the committed memory; one that cannot be read starts afresh, with a number above all before."""
        if self._memory is None:
            afresh = self._afresh()
            try:
                memory = load(self.folder.memory, self.policy.spec if self.policy is not None else None)
            except ArtifactError as error:
                log.error("memory lost", extra={"cause": str(error)})
                memory = afresh if afresh.seq else Memory(seq=self.clock.wall())
            if afresh.seq > memory.seq:
                log.error("memory is older than the last signal", extra={"seq": memory.seq, "signal": afresh.seq})
                memory = afresh
            self._memory = memory
        return self._memory

    def remember(self, memory: Memory) -> None:
        """Take over a memory that has just been committed."""
        self._memory = memory
        self.scratch.clear()

    def active_pairs(self) -> tuple[ActivePairs, str]:
        """Return the active pairs on disk and the digest of their content; parsed again only if the bytes changed.

        Raises
        ------
        ArtifactError, MissingInputError
            As for :func:`perpfut_lib.artifacts.read_document`.
        """
        content = read_content(self.folder.document(ActivePairs))
        if self._pairs is None or self._pairs[0] != content:
            document = decode(content, ActivePairs, self.folder.key)
            self._pairs = (content, document, content_digest(document))
        return self._pairs[1:]

    def pairs_by_digest(self, digest: str) -> ActivePairs:
        """Return the active pairs that a tick began with, not read again while this process holds them.

        Raises
        ------
        PairsChangedError
            They are not on disk any more.
        """
        if self._pairs is not None and self._pairs[2] == digest:
            return self._pairs[1]
        try:
            document, found = self.active_pairs()
        except PerpfutError as error:
            raise PairsChangedError(
                str(error), "the active pairs that the tick began with", "start it again"
            ) from error
        if found != digest:
            raise PairsChangedError("other active pairs", "those that the tick began with", "start it again")
        return document

    def restarted(self, folder: AgentFolder | None = None) -> Self:
        """Return the context of a new process: it remembers nothing but what is on disk (in another ``folder``)."""
        return replace(self, folder=folder or self.folder, scratch={}, logged=False, _memory=None, _pairs=None)

    @cached_property
    def settings_hash(self) -> str:
        """Return the hash of all settings that decisions depend on."""
        sections = ("agent", "cointegration", "costs", "data", "env", "features", "train", "universe")
        return self.profile.sections_hash(sections)

    def expiry(self, bar_close: int) -> int:
        """Return when a signal for the bar that closed at ``bar_close`` expires, ms UTC."""
        return bar_close + self.profile.agent.expiry_bars * self.timeframe

    def provenance(self, **inputs: str) -> Provenance:
        """Return the provenance of a document made from ``inputs`` (SHA-256 by name) and the policy."""
        if self.policy is not None:
            inputs["policy"] = self.policy.digest
        return Provenance(config=self.settings_hash, code=git_commit(), inputs=inputs)

    def _afresh(self) -> Memory:
        """Return an empty memory that cannot repeat the bar or the number of the signal on disk."""
        try:
            signal = self.folder.read(Signal)
        except PerpfutError:
            return Memory()
        return Memory(seq=signal.seq, bar_close=signal.bar_close)


def load_policy(profile: Profile, run: Run) -> TradingPolicy:
    """Return the policy that a profile names.

    Raises
    ------
    MissingInputError, ArtifactError, PolicyError
        As for :meth:`TradingPolicy.load`, whatever is wrong with the card.
    """
    card = run.stage("train").file(f"policies/{profile.agent.policy}.json")
    try:
        return TradingPolicy.load(card, profile.agent.policy_sha256)
    except (KeyError, TypeError, ValueError) as error:
        found = f"{card.name} that makes no sense ({type(error).__name__}: {error})"
        raise PolicyError(found, "a card as the export writes it", "export the policy again") from error


def open_policy(profile: Profile, run: Run) -> TradingPolicy | None:
    """Return the policy that a profile names, or none, with the cause in the log."""
    try:
        return load_policy(profile, run)
    except (ArtifactError, MissingInputError, PolicyError) as error:
        log.error("no policy", extra={"policy": profile.agent.policy, "cause": str(error)})
        return None


def require_live_rules(profile: Profile) -> None:
    """Raise :class:`ConfigError` for rules of the study that no exchange offers."""
    if profile.env.fill != "next_open" or profile.env.latency:
        found = f"env.fill = {profile.env.fill} with latency {profile.env.latency}"
        raise ConfigError(found, "next_open without latency", "use a profile with live rules")
    if profile.costs.slippage.model == "impact":
        # The agent's own ledger keeps no volumes; without them its sizes would differ from the evaluation's.
        raise ConfigError("costs.slippage.model = impact", "none or fixed", "set costs.slippage.model=fixed")


def _z_limit(scaler: Scaler) -> float:
    if "spread_z" not in scaler.names:
        return float("inf")
    column = scaler.names.index("spread_z")
    bounds = scaler.center[column] + np.array([-1.0, 1.0]) * scaler.clip * scaler.scale[column]
    return float(np.abs(bounds).max())
