"""A checkpoint file of another program is replaced instead of raising at every tick."""

import sqlite3

from agent.graphs.checkpoints import open_checkpoints


def test_a_database_with_other_columns_is_replaced(tmp_path):
    """Null: a table named checkpoints without our columns makes the first tick raise, and every one after it."""
    path = tmp_path / "checkpoints.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE checkpoints (thread_id TEXT, colour TEXT)")
    with open_checkpoints(path) as checkpoints:
        assert not checkpoints.begun("fast-1")
        assert checkpoints.threads() == []
