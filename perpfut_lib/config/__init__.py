"""Versioned settings: one frozen model per stage, profiles in ``configs/``, hashes that artifacts carry."""

from perpfut_lib.config.agent import AgentConfig, AlarmConfig, GovernorConfig, RiskConfig
from perpfut_lib.config.attribution import AttributionConfig, Rung
from perpfut_lib.config.base import Duration, Section, format_duration, format_time, hash_json, parse_duration
from perpfut_lib.config.data import (
    ArchiveConfig,
    DataConfig,
    ExchangeConfig,
    SimulationConfig,
    Source,
    SplitConfig,
    UniverseConfig,
)
from perpfut_lib.config.designs import Design, design_names
from perpfut_lib.config.profile import Profile, load_profile, profile_names, project_root, settings_of
from perpfut_lib.config.quality import Decision, QualityConfig
from perpfut_lib.config.research import (
    CointegrationConfig,
    ComputeConfig,
    CostsConfig,
    EnvConfig,
    EvaluateConfig,
    FeaturesConfig,
    SlippageConfig,
    TrainConfig,
)
from perpfut_lib.config.robustness import RobustnessConfig

__all__ = [
    "AgentConfig",
    "AlarmConfig",
    "ArchiveConfig",
    "AttributionConfig",
    "CointegrationConfig",
    "ComputeConfig",
    "CostsConfig",
    "DataConfig",
    "Decision",
    "Design",
    "Duration",
    "EnvConfig",
    "EvaluateConfig",
    "ExchangeConfig",
    "FeaturesConfig",
    "GovernorConfig",
    "Profile",
    "QualityConfig",
    "RiskConfig",
    "RobustnessConfig",
    "Rung",
    "Section",
    "SimulationConfig",
    "SlippageConfig",
    "Source",
    "SplitConfig",
    "TrainConfig",
    "UniverseConfig",
    "design_names",
    "format_duration",
    "format_time",
    "hash_json",
    "load_profile",
    "parse_duration",
    "profile_names",
    "project_root",
    "settings_of",
]
