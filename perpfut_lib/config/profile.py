"""Profiles: one YAML file in ``configs/`` names the settings that differ from the documented defaults."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError

from perpfut_lib.config.agent import AgentConfig
from perpfut_lib.config.attribution import AttributionConfig
from perpfut_lib.config.base import Section, hash_json
from perpfut_lib.config.data import DataConfig, SplitConfig, UniverseConfig
from perpfut_lib.config.quality import QualityConfig
from perpfut_lib.config.research import (
    CointegrationConfig,
    ComputeConfig,
    CostsConfig,
    EnvConfig,
    EvaluateConfig,
    FeaturesConfig,
    TrainConfig,
)
from perpfut_lib.config.robustness import RobustnessConfig
from perpfut_lib.errors import ConfigError
from perpfut_lib.types import Json, JsonObject

ROOT_VARIABLE = "PERPFUT_ROOT"
_SEVERAL = re.compile(r"[\s,;]+(?=[A-Za-z_][\w.]*=)")  # a space inside a value, such as a list's, parts nothing
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Profile(Section):
    """Every setting of one run of the study."""

    name: str = Field("default", pattern=r"[a-z0-9][a-z0-9.-]*")
    """Name of the run: its artifacts lie in ``artifacts/<name>/``."""
    title: str = ""
    """One line on what this profile is for."""
    data: DataConfig = DataConfig()
    quality: QualityConfig = QualityConfig()
    universe: UniverseConfig = UniverseConfig()
    split: SplitConfig = SplitConfig()
    cointegration: CointegrationConfig = CointegrationConfig()
    features: FeaturesConfig = FeaturesConfig()
    costs: CostsConfig = CostsConfig()
    env: EnvConfig = EnvConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    attribution: AttributionConfig = AttributionConfig()
    robustness: RobustnessConfig = RobustnessConfig()
    compute: ComputeConfig = ComputeConfig()
    agent: AgentConfig = AgentConfig()

    def changed(self, settings: Mapping[str, Json], *, name: str | None = None) -> Self:
        """Return this profile with dotted settings replaced, such as ``{"env.fill": "next_open"}``.

        Raises
        ------
        ConfigError
            A setting does not exist, or its value is out of range.
        """
        # Only what was given: a preset that is changed here brings its own values for the rest.
        tree = self.model_dump(mode="json", exclude_unset=True) | {"name": name or self.name}
        for key, value in settings.items():
            _put(tree, key, value)
        try:
            return type(self).model_validate(tree)
        except ValidationError as error:
            raise config_error(error, f"profile {self.name}") from error

    def sections_hash(self, names: Sequence[str]) -> str:
        """Return the SHA-256 of the named sections: what a stage that reads only these depends on."""
        return hash_json({name: getattr(self, name).model_dump(mode="json") for name in names})


def project_root() -> Path:
    """Return the folder of ``configs/``: ``$PERPFUT_ROOT``, else the nearest above, else the checkout, else here."""
    if ROOT_VARIABLE in os.environ:
        return Path(os.environ[ROOT_VARIABLE]).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "configs").is_dir() and (folder / "perpfut_lib").is_dir():
            return folder
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "configs").is_dir() else here  # an installed package writes nothing beside itself


def profile_folder() -> Path:
    """Return the folder of the profiles: the project's ``configs/``, or the package's own where there is none."""
    folder = project_root() / "configs"
    return folder if folder.is_dir() else Path(__file__).resolve().parents[1] / "configs"


def profile_names() -> list[str]:
    """Return the names of the profiles in ``configs/``."""
    return sorted(path.stem for path in profile_folder().glob("*.yaml"))


def load_profile(profile: str = "default", overrides: Sequence[str] | str = ()) -> Profile:
    """Read a profile by name and apply overrides.

    Parameters
    ----------
    profile : str
        Name of a file in ``configs/``, without its ending.
    overrides : sequence of str, or str
        Settings as ``section.key=value``; the value is read as YAML. One text holds one, or several apart by spaces
        line breaks or commas, or a YAML list of them: what ``papermill -p overrides …`` hands over.

    Returns
    -------
    Profile
        Frozen and complete.

    Raises
    ------
    ConfigError
        The profile or a key does not exist, or a value is out of range.
    """
    path = profile_folder() / f"{profile}.yaml"
    if not path.is_file():
        raise ConfigError(f"no profile {profile!r}", f"one of {', '.join(profile_names())}", "choose one of these")
    tree: JsonObject = {"name": profile, **read_yaml(path)}
    settings = settings_of(overrides)
    for override in settings:
        _apply(tree, override)
    other = _other_data(settings)
    if other:
        tree["title"] = f"Settings of profile {profile} on other data ({', '.join(other)})"
    try:
        return Profile.model_validate(tree)
    except ValidationError as error:
        raise config_error(error, path.name) from error


def _other_data(settings: Sequence[str]) -> list[str]:
    """Return the settings that put other data in the place of the profile's; none where they bring their own title."""
    keys = {setting.partition("=")[0].strip() for setting in settings}
    data = {"data.files", "data.source", "data.start", "data.end", "data.archive.location", "data.exchange.url"}
    return [] if "title" in keys else sorted(keys & data)


def settings_of(overrides: Sequence[str] | str) -> list[str]:
    """Return overrides as a list, whichever way they were given: a list, or a text as people type it."""
    if not isinstance(overrides, str):
        return list(overrides)
    if overrides.lstrip().startswith("["):
        return [str(each) for each in yaml.safe_load(overrides)]
    return [part for part in _SEVERAL.split(overrides.strip()) if part]


def read_yaml(path: Path) -> JsonObject:
    """Read one YAML mapping, with ``${NAME:-default}`` taken from the environment."""
    text = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[2] or ""), path.read_text(encoding="utf-8"))
    try:
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        found = f"{path.name} that is not YAML ({error})"
        raise ConfigError(found, "a mapping of sections", "mend the file") from error
    if not isinstance(tree, Mapping):
        raise ConfigError(f"{path.name} holding a {type(tree).__name__}", "a mapping of sections", "mend the file")
    return dict(tree)


def _apply(tree: JsonObject, override: str) -> None:
    """Set one ``section.key=value`` in ``tree``."""
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"override {override!r}", "section.key=value, such as train.seeds=3", "write it so")
    _put(tree, key.strip(), yaml.safe_load(text))


def _put(tree: JsonObject, key: str, value: Any) -> None:
    """Set a dotted key in nested dictionaries."""
    *parents, leaf = key.split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"override of {key!r}", f"{parent!r} to hold settings, not a value", "check the key")
        node = child
    node[leaf] = value


def config_error(error: ValidationError, source: str, model: type[Section] = Profile) -> ConfigError:
    """Return a :class:`ConfigError` that names every offending key and the keys that exist in ``model``."""
    whole = f"the {model.__name__.lower()}"
    found = "; ".join(f"{'.'.join(map(str, item['loc'])) or whole}: {item['msg']}" for item in error.errors())
    unknown = [item["loc"] for item in error.errors() if item["type"] == "extra_forbidden"]
    hints = [f"{'.'.join(map(str, loc[:-1])) or whole} has {_known_keys(model, loc[:-1])}" for loc in unknown]
    expected = "; ".join(hints) if hints else "values as perpfut_lib/config documents them"
    return ConfigError(f"in {source} with its overrides: {found}", expected, "mend the key or the value")


def _known_keys(model: Any, location: Sequence[int | str]) -> str:
    """Return the keys that exist in the section of ``model`` at ``location``."""
    for part in location:
        field = model.model_fields.get(str(part)) if hasattr(model, "model_fields") else None
        model = field.annotation if field is not None else None
    return ", ".join(sorted(model.model_fields)) if hasattr(model, "model_fields") else "no keys"
