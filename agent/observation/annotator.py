"""An optional annotator: a language model on this machine that describes what the governor's rules did."""

import json
import logging
from dataclasses import dataclass
from typing import Protocol

import httpx

from agent.observation.logs import Redactor
from perpfut_lib.types import JsonObject

log = logging.getLogger(__name__)

PROMPT = "Describe in two sentences, for an operator, what these trading metrics and actions mean. Advise nothing.\n"


class Annotator(Protocol):
    """Describes facts in words."""

    def describe(self, facts: JsonObject) -> str:
        """Return a text about ``facts``, empty where there is none; never raises."""
        ...


@dataclass(frozen=True)
class LocalModel:
    """A model behind an interface like Ollama's: POST ``{model, prompt, stream}`` to ``/api/generate``."""

    url: str
    """Base address."""
    model: str
    """Name of the model."""
    redactor: Redactor
    """Cleans what goes out and what comes back."""
    timeout: float = 2.0
    """Seconds."""

    def describe(self, facts: JsonObject) -> str:
        """Ask once, with a short time-out; no answer is an empty note."""
        body = {"model": self.model, "prompt": PROMPT + json.dumps(self.redactor.tree(facts)), "stream": False}
        try:
            answer = httpx.post(f"{self.url.rstrip('/')}/api/generate", json=body, timeout=self.timeout)
            answer.raise_for_status()
            return self.redactor.text(str(answer.json()["response"]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            log.warning("no annotation", extra={"cause": type(error).__name__})
            return ""
