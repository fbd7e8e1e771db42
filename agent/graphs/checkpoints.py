"""Graphs run with a checkpoint after every node, so that a tick that was killed goes on where it stopped.

One thread per tick, deleted when it is done: SQLite gives its pages to the next one, and the file stays small. Only
types that need no code to be read back are read back.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.decision.context import PairsChangedError, TickContext
from agent.observation.tracing import by_no_other_client
from perpfut_lib.errors import ArtifactError
from perpfut_lib.types import Json

log = logging.getLogger(__name__)

Graph = CompiledStateGraph[Any, TickContext, Any, Any]
"""A graph that is ready to run; the states of the three kinds of tick differ."""

FOLD_EVERY: Final = 20
"""Ticks after which the write-ahead log is folded into the database."""


class StepSaver(SqliteSaver):
    """One write per node: its output is in the checkpoint that follows it.

    LangGraph also records single outputs of nodes that run side by side. Ours run one after another, so a crash between
    a node and its checkpoint makes that node run again, as a crash in the node does.
    """

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Do nothing."""


class Checkpoints:
    """Checkpoints of the graphs of one agent.

    Parameters
    ----------
    connection : sqlite3.Connection
        Its database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._runs = connection, 0
        serializer = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
        self.saver = StepSaver(connection, serde=serializer)
        self.saver.setup()

    def compile(self, graph: StateGraph[Any, TickContext, Any, Any]) -> Graph:
        """Return the graph, ready to run with these checkpoints."""
        return graph.compile(checkpointer=self.saver)

    def run(self, app: Graph, thread: str, start: Mapping[str, Json], context: TickContext) -> None:
        """Run a graph to its end, from its last checkpoint if it was cut short, and forget its checkpoints.

        A failure forgets them too: what made it fail would make it fail again. Where the active pairs are not those
        that the tick began with, it starts again with the new ones: nothing has been decided or signalled by then.
        """
        config: Any = {"configurable": {"thread_id": thread}}
        unfinished = self.begun(thread) and bool(app.get_state(config).next)
        if unfinished:
            log.info("going on with a tick that was cut short", extra={"tick": thread})
        try:
            with by_no_other_client():
                try:
                    app.invoke(None if unfinished else dict(start), config, context=context, durability="sync")
                except PairsChangedError as error:
                    log.info("a tick starts again with new pairs", extra={"tick": thread, "cause": str(error)})
                    self.saver.delete_thread(thread)
                    app.invoke(dict(start), config, context=context, durability="sync")
        finally:
            self.saver.delete_thread(thread)
            self._runs += 1
            if self._runs % FOLD_EVERY == 0:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def begun(self, thread: str) -> bool:
        """Return whether there is a checkpoint of a thread."""
        query = "SELECT 1 FROM checkpoints WHERE thread_id = ? LIMIT 1"
        return self._connection.execute(query, (thread,)).fetchone() is not None

    def threads(self) -> list[str]:
        """Return the threads that were cut short."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT thread_id FROM checkpoints ORDER BY 1")]

    def forget_others(self, kept: str) -> None:
        """Forget every thread of the same kind (its name up to the dash) but one: its bar has passed."""
        kind = kept.split("-", maxsplit=1)[0] + "-"
        for thread in self.threads():
            if thread.startswith(kind) and thread != kept:
                self.saver.delete_thread(thread)


@contextmanager
def open_checkpoints(path: Path) -> Iterator[Checkpoints]:
    """Open the database of checkpoints; one that cannot be read is replaced, since no tick depends on it.

    Raises
    ------
    ArtifactError
        None can be written: the disk is full, or for reading only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        checkpoints = _opened(path)
    except sqlite3.DatabaseError as error:
        log.error("checkpoints lost", extra={"cause": str(error)})
        checkpoints = _replaced(path)
    with closing(checkpoints.saver.conn):
        yield checkpoints


def _replaced(path: Path) -> Checkpoints:
    try:
        for part in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            part.unlink(missing_ok=True)
        return _opened(path)
    except (OSError, sqlite3.DatabaseError) as error:
        found = f"{path.name} that cannot be written ({error})"
        raise ArtifactError(found, "a disk with space", "free space, or mount the folder for writing") from error


def _opened(path: Path) -> Checkpoints:
    connection = _connect(path)
    try:
        return Checkpoints(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    try:
        # A kill loses nothing of a write-ahead log; a power cut may lose the last checkpoint, never a commit.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # The log is folded into the database between ticks, not while a signal is waited for.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("quick_check failed")
        _check_columns(connection)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _check_columns(connection: sqlite3.Connection) -> None:
    """Refuse tables of the same names with other columns: another program's database, or another version's."""
    StepSaver(connection).setup()
    made = sqlite3.connect(":memory:")
    with closing(made):
        StepSaver(made).setup()
        for (table,) in made.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            query = f"SELECT name FROM pragma_table_info('{table}')"
            found, expected = ({row[0] for row in one.execute(query)} for one in (connection, made))
            if not expected <= found:
                raise sqlite3.DatabaseError(f"{table} lacks {sorted(expected - found)}")
