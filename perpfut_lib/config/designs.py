"""Designs: what others published, as settings of the same study; one YAML file each in ``configs/designs/``."""

from typing import Self

from pydantic import Field, ValidationError

from perpfut_lib.config.base import Section
from perpfut_lib.config.profile import config_error, profile_folder, read_yaml
from perpfut_lib.errors import ConfigError
from perpfut_lib.types import Json


class Design(Section):
    """A published way of learning to trade, and how this study runs it."""

    name: str = Field(pattern=r"[a-z0-9][a-z0-9-]*")
    """Name of its file."""
    title: str
    """One line: who learns what from what."""
    cite: str
    """Key in ``book/references.bib``."""
    printed: str = ""
    """What its authors printed, on which data; empty where nobody published it as a strategy."""
    differs: str
    """What is not as its authors did it."""
    settings: dict[str, Json]
    """Dotted settings that replace those of a profile, such as ``{"train.algorithm": "a2c"}``."""

    @classmethod
    def load(cls, name: str) -> Self:
        """Read a design.

        Raises
        ------
        ConfigError
            There is no such file, or a key is missing or unknown.
        """
        path = profile_folder() / "designs" / f"{name}.yaml"
        if not path.is_file():
            raise ConfigError(f"no design {name!r}", f"one of {', '.join(design_names())}", "choose one of these")
        try:
            return cls.model_validate({"name": name, **read_yaml(path)})
        except ValidationError as error:
            raise config_error(error, f"designs/{path.name}", cls) from error


def design_names() -> list[str]:
    """Return the names of the designs in ``configs/designs/``."""
    return sorted(path.stem for path in (profile_folder() / "designs").glob("*.yaml"))
