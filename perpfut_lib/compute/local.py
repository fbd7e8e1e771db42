"""Tasks on processes of this machine: a process that is killed is replaced, and only its own task is done again."""

import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import joblib

from perpfut_lib.errors import WorkerLostError
from perpfut_lib.progress import PROGRESS_STREAM

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS: Final = 3
ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Worker:
    """A process that waits at the other end of ``pipe`` for a file of tasks and the number of one."""

    process: "subprocess.Popen[bytes]"
    pipe: Connection
    path: str
    """Where it looks for modules."""

    @classmethod
    def start(cls) -> "Worker":
        """Return an idle process, a new one if there is none."""
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
        while IDLE:
            worker = IDLE.pop()
            if worker.path == path and worker.process.poll() is None:
                return worker
            worker.stop()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "perpfut_lib.compute.worker", str(theirs.fileno())]
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1"), PROGRESS_STREAM: "", "PYTHONPATH": path}
        with theirs:
            process = subprocess.Popen(command, env=environment, pass_fds=(theirs.fileno(),))
        return cls(process, Connection(ours.detach()), path)

    def stop(self) -> None:
        """End the process at once."""
        self.pipe.close()
        self.process.kill()
        self.process.wait()

    def rest(self) -> None:
        """Forget the tasks and wait for others: the next ones find the process with its imports done."""
        self.pipe.send(None)
        IDLE.append(self)


IDLE: Final[list[Worker]] = []  # they end with this process, which closes their pipes


@dataclass
class Shift:
    """Who works on what."""

    file: Path
    waiting: deque[int]
    workers: int
    at_work: dict[Connection, tuple[Worker, int]] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)

    def assign(self, worker: Worker) -> None:
        """Give the next task to a worker, or send it to rest."""
        try:
            if not self.waiting:
                worker.rest()
                return
            number = self.waiting.popleft()
            self.at_work[worker.pipe] = worker, number
            worker.pipe.send((str(self.file), number))
        except ConnectionError:
            return  # it died while it was idle: reading from it says so, and its task is handed out again

    def serve(self) -> Iterator[tuple[int, Any]]:
        """Hand out tasks until all are done."""
        while self.waiting or self.at_work:
            while self.waiting and len(self.at_work) < self.workers:
                self.assign(Worker.start())
            for pipe in wait(list(self.at_work)):
                worker, number = self.at_work.pop(cast(Connection, pipe))
                try:
                    error, result = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    self.lose(worker, number)
                    continue
                self.assign(worker)
                if error is not None:
                    raise error
                yield number, result

    def lose(self, worker: Worker, number: int) -> None:
        """Put the task of a dead worker back, unless it has cost too many."""
        worker.stop()
        self.losses[number] += 1
        if self.losses[number] >= ATTEMPTS:
            code = worker.process.returncode
            found = f"task {number} whose worker died {ATTEMPTS} times, at last with exit code {code}"
            raise WorkerLostError(found, "workers that live", "see whether memory ran out, and take fewer workers")
        self.waiting.appendleft(number)


def run_on_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Yield the number and the result of every task as it is done; see :func:`perpfut_lib.compute.run_tasks`."""
    with tempfile.TemporaryDirectory(prefix="perpfut-tasks-") as folder:
        file = Path(folder) / "tasks"
        joblib.dump((function, list(tasks)), file)
        shift = Shift(file, deque(range(len(tasks))), workers)
        try:
            yield from shift.serve()
        finally:
            for worker, _ in shift.at_work.values():
                worker.stop()
