"""Tasks on processes of this machine: a process that is killed is replaced, and only its own task is done again."""

import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, cast

import joblib

from perpfut_lib.errors import WorkerLostError
from perpfut_lib.progress import PROGRESS_STREAM

ATTEMPTS: Final = 3
ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Worker:
    """A process that waits for numbers of tasks at the other end of ``pipe``."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection

    @classmethod
    def start(cls, tasks: Path) -> "Worker":
        """Start a process that reads its tasks from a file."""
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "perpfut_lib.compute.worker", str(tasks), str(theirs.fileno())]
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), PROGRESS_STREAM: ""}
        environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
        with theirs:
            process = subprocess.Popen(command, env=environment, pass_fds=(theirs.fileno(),))
        return cls(process, Connection(ours.detach()))

    def stop(self) -> None:
        """End the process at once."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()


def run_on_processes(function: Callable[[Any], Any], tasks: Sequence[Any], workers: int) -> Iterator[tuple[int, Any]]:
    """Yield the number and the result of every task as it is done; see :func:`perpfut_lib.compute.run_tasks`."""
    with tempfile.TemporaryDirectory(prefix="perpfut-tasks-") as folder:
        file = Path(folder) / "tasks"
        joblib.dump((function, list(tasks)), file)
        crew: dict[Connection, tuple[Worker, int]] = {}
        try:
            yield from _serve(crew, file, deque(range(len(tasks))), workers)
        finally:
            for worker, _ in crew.values():
                worker.stop()


def _serve(
    crew: dict[Connection, tuple[Worker, int]], file: Path, waiting: deque[int], workers: int
) -> Iterator[tuple[int, Any]]:
    """Hand out the waiting tasks until all are done; ``crew`` holds who works on what."""
    losses: Counter[int] = Counter()
    while waiting or crew:
        while waiting and len(crew) < workers:
            _assign(crew, Worker.start(file), waiting.popleft())
        for pipe in wait(list(crew)):
            worker, number = crew.pop(cast(Connection, pipe))
            try:
                error, result = worker.pipe.recv()
            except (EOFError, ConnectionError):
                worker.stop()
                losses[number] += 1
                _require_attempts(losses[number], number, worker)
                waiting.appendleft(number)
                continue
            if error is not None:
                worker.stop()
                raise error
            if waiting:
                _assign(crew, worker, waiting.popleft())
            else:
                worker.stop()
            yield number, result


def _assign(crew: dict[Connection, tuple[Worker, int]], worker: Worker, number: int) -> None:
    crew[worker.pipe] = worker, number
    try:
        worker.pipe.send(number)
    except ConnectionError:
        return  # it died while it was idle: reading from it says so, and the task is handed out again


def _require_attempts(lost: int, number: int, worker: Worker) -> None:
    if lost >= ATTEMPTS:
        found = f"task {number} whose worker died {lost} times, at last with exit code {worker.process.returncode}"
        raise WorkerLostError(found, "workers that live", "see whether memory ran out, and take fewer workers")
