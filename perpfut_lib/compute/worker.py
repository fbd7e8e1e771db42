"""A local worker process: ``python -m perpfut_lib.compute.worker TASKS DESCRIPTOR``."""

import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import joblib


def main(tasks: str, descriptor: int) -> None:
    """Answer numbers of tasks with (error or none, result), until the other end is closed."""
    with Connection(descriptor) as pipe, ThreadPoolExecutor(1) as thread:
        function, listed = joblib.load(tasks, mmap_mode="r")
        while True:
            try:
                number = pipe.recv()
            except (EOFError, ConnectionError):
                return
            future = thread.submit(function, listed[number])
            error = future.exception()
            if error is not None:
                error.add_note("In the worker:\n" + "".join(traceback.format_exception(error)))
            pipe.send((error, None if error is not None else future.result()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
