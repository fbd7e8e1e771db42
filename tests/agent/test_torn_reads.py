"""Concurrent readers, and a writer that is killed again and again: nobody ever sees half a signal."""

import multiprocessing
import os
import signal as signals
import time

from perpfut_lib.artifacts import Leg, Signal, read_document, write_document
from perpfut_lib.errors import ArtifactError
from tests.agent.documents import signal

READS = 50_000
SPAWN = multiprocessing.get_context("fork")


def write_for_ever(path, first):
    """Write signals without end; every leg carries the sequence number, so a mixture would show."""
    seq = first
    while True:
        seq += 1
        legs = tuple(Leg(pair="AAA~BBB", symbol=f"S{leg}", weight=float(seq), price=1.0) for leg in range(10))
        write_document(path, signal(seq=seq, legs=legs))


def read_many(path, count, answers):
    """Read ``count`` times and report torn reads, mixed reads and the number of different signals met."""
    torn = mixed = 0
    met = set()
    for _ in range(count):
        try:
            document = read_document(path, Signal)
        except ArtifactError:
            torn += 1
            continue
        mixed += any(leg.weight != document.seq for leg in document.legs)
        met.add(document.seq)
    answers.put((torn, mixed, len(met)))


def test_no_torn_read_while_the_writer_is_killed(tmp_path):
    """Null hypothesis: some of 50,000 reads beside a writer under kill -9 are torn. None is."""
    path = tmp_path / "signal.json"
    write_document(path, signal(seq=0, legs=()))
    answers = SPAWN.Queue()
    readers = [SPAWN.Process(target=read_many, args=(path, READS // 2, answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    kills = 0
    while any(reader.is_alive() for reader in readers) and answers.qsize() < len(readers):
        writer = SPAWN.Process(target=write_for_ever, args=(path, read_document(path, Signal).seq))
        writer.start()
        time.sleep(0.05)  # any moment of its work will do
        os.kill(writer.pid, signals.SIGKILL)
        writer.join()
        kills += 1
    found = [answers.get() for _ in readers]
    for reader in readers:
        reader.join()
    assert sum(torn for torn, _, _ in found) == 0
    assert sum(mixed for _, mixed, _ in found) == 0
    assert max(met for _, _, met in found) > 10
    assert kills > 5
