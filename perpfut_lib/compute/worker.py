"""A local worker process: ``python -m perpfut_lib.compute.worker DESCRIPTOR``."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import joblib


def main(descriptor: int) -> None:
    """Answer (file of tasks, number) with (error or none, result), until the other end is closed."""
    file, function, tasks = "", _nothing, list[Any]()
    with Connection(descriptor) as pipe, ThreadPoolExecutor(1) as thread:
        while True:
            try:
                wanted = pipe.recv()
            except (EOFError, ConnectionError):
                return
            if wanted is None:
                file, function, tasks = "", _nothing, []
                continue
            if wanted[0] != file:
                file, (function, tasks) = wanted[0], joblib.load(wanted[0], mmap_mode="r")
            pipe.send(_answer(thread, function, tasks[wanted[1]]))


def _answer(thread: ThreadPoolExecutor, function: Callable[[Any], Any], task: Any) -> tuple[Any, Any]:
    future = thread.submit(function, task)
    error = future.exception()
    if error is None:
        return None, future.result()
    error.add_note("In the worker:\n" + "".join(traceback.format_exception(error)))
    return error, None


def _nothing(task: Any) -> Any:
    raise AssertionError(f"task {task!r} before any function")


if __name__ == "__main__":
    # An interrupt goes to the whole group: who gave the work tells of it, the worker just ends.
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
    main(int(sys.argv[1]))
