"""Hummingbot's real engine as a process of its own, on a local exchange: for tests and for the demonstration."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from perpfut_lib.config import project_root
from perpfut_lib.errors import MissingInputError
from perpfut_lib.venue.settings import DEFAULT_KEY, DEFAULT_SECRET, DEFAULT_WALLET, DEFAULT_WALLET_KEY

HERE: Final = Path(__file__).resolve().parent
SCRIPT: Final = "perpfut_executor.py"
CONFIG: Final = "perpfut.yml"
PASSWORD: Final = "local"
PYTHON_VARIABLE: Final = "PERPFUT_HUMMINGBOT_PYTHON"
KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "binance_perpetual": {
        "binance_perpetual_api_key": DEFAULT_KEY,
        "binance_perpetual_api_secret": DEFAULT_SECRET,
    },
    "hyperliquid_perpetual": {
        "hyperliquid_perpetual_mode": "arb_wallet",
        "use_vault": "no",
        "hyperliquid_perpetual_address": DEFAULT_WALLET,
        "hyperliquid_perpetual_secret_key": DEFAULT_WALLET_KEY,
    },
}
"""Keys of the local exchange; none of them opens anything else."""


def hummingbot_python() -> Path:
    """Return the interpreter that Hummingbot is installed in.

    Raises
    ------
    MissingInputError
        ``make hummingbot`` has not been run.
    """
    path = Path(os.environ.get(PYTHON_VARIABLE, project_root() / ".venv-hummingbot" / "bin" / "python"))
    if not path.is_file():
        raise MissingInputError(
            f"no {path.name} in {path.parent}", "Hummingbot's own environment", "run make hummingbot"
        )
    return path


def store_keys(root: Path, connector: str, address: str) -> None:
    """Put the local exchange's keys into the encrypted store of a folder, by Hummingbot's own command."""
    command = [str(hummingbot_python()), "-m", "hummingbot.cli.main", "connect", connector, "--keys-stdin"]
    environment = _environment(root, address)
    given = json.dumps(KEYS[connector])
    subprocess.run(
        command, input=given, text=True, env=environment, cwd=root, check=True, capture_output=True, timeout=300
    )


@dataclass
class Engine:
    """One installation: a folder, and the engine when it runs."""

    root: Path
    """Configuration, logs and data."""
    address: str
    """Of the exchange."""
    process: subprocess.Popen[bytes] | None = None

    def configure(self, **settings: Any) -> None:
        """Write the script and its configuration."""
        (self.root / "scripts").mkdir(parents=True, exist_ok=True)
        (self.root / "conf" / "scripts").mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / SCRIPT, self.root / "scripts" / SCRIPT)
        text = yaml.safe_dump({"script_file_name": SCRIPT, "controllers_config": [], **settings})
        (self.root / "conf" / "scripts" / CONFIG).write_text(text)

    def start(self) -> None:
        """Start the engine."""
        command = [str(hummingbot_python()), "-m", "hummingbot.cli.engine", "--name", "perpfut"]
        with (self.root / "engine.out").open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--script-config", CONFIG],
                env=_environment(self.root, self.address),
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def running(self) -> bool:
        """Return whether the engine is alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self, patience: float = 90.0) -> int:
        """Ask it to stop and return its exit code; one that does not is killed."""
        if self.process is None:
            return 0
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it as a power cut would."""
        if self.process is None:
            return 0
        self.process.kill()
        return self.process.wait()

    def said(self) -> str:
        """Return everything that it has logged."""
        logs = [*sorted((self.root / "logs").glob("*.log")), self.root / "engine.out"]
        return "\n".join(path.read_text(errors="replace") for path in logs if path.is_file())


def _environment(root: Path, address: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE / "sandbox"), str(project_root())]),
        "PERPFUT_HUMMINGBOT_ROOT": str(root),
        "PERPFUT_EXCHANGE": address,
        "HBOT_PASSWORD": PASSWORD,
    }
