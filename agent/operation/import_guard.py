"""The live process runs exported networks only: what trains, and loads pickles to do so, cannot even be imported."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

FORBIDDEN: Final = ("torch", "stable_baselines3", "sb3_contrib", "optuna")


class ImportGuard(MetaPathFinder):
    """Refuses the forbidden packages to whoever asks."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise :class:`ImportError` for a forbidden package, and leave every other one to the next finder."""
        if name.split(".", maxsplit=1)[0] in FORBIDDEN:
            raise ImportError(f"{name} is not allowed in the live agent", name=name)
        return None


def install_guard() -> None:
    """Refuse the forbidden packages from here on.

    Raises
    ------
    ImportError
        One of them is loaded already.
    """
    loaded = loaded_forbidden()
    if loaded:
        raise ImportError(f"{', '.join(loaded)} loaded in the live agent")
    if not any(isinstance(finder, ImportGuard) for finder in sys.meta_path):
        sys.meta_path.insert(0, ImportGuard())


def loaded_forbidden() -> list[str]:
    """Return the forbidden packages that are loaded."""
    return [name for name in FORBIDDEN if name in sys.modules]
