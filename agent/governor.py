"""The governor: from realised performance to a standing order, by deterministic rules. It never trains and never trades.

Load the snapshot → rules → (annotate) → order. A language model, where one is configured, may only annotate: its text is
cut, redacted, and read by nobody but people.
"""

import json
import logging
from collections.abc import Callable
from typing import Any, Final, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.desk import Desk
from agent.logs import Redactor
from agent.watch import GovernorState, govern, raised
from perpfut_lib.artifacts import (
    ActivePairs,
    GovernorOrder,
    Metrics,
    PerfSnapshot,
    Reason,
    RetrainRequest,
    Seen,
    write_bytes,
)
from perpfut_lib.artifacts.atomic import parse_json
from perpfut_lib.artifacts.contract import SCHEMA_VERSION, Part
from perpfut_lib.errors import MissingInputError, PerpfutError

log = logging.getLogger(__name__)

NOTE: Final = 2000
Annotator = Callable[[dict[str, Any]], str]


class GovernorMemory(Part):
    """What the governor keeps on disk."""

    seq: int = 0
    """Sequence number of its last order."""
    snapshot_seq: int = -1
    """Newest snapshot taken into account."""
    state: GovernorState = GovernorState()
    """State of its rules."""
