"""Concurrent readers, and a writer that is killed again and again: nobody ever sees half a signal."""

import multiprocessing
import os
import random
import signal as signals
import time

from perpfut_lib.artifacts import Leg, Signal, read_document, write_document
from perpfut_lib.errors import ArtifactError
from tests.agent.documents import signal

READS = 50_000
KILLS = 12
SPAWN = multiprocessing.get_context("fork")


def write_for_ever(path, first):
    """Write signals without end; every leg carries the sequence number, so a mixture would show."""
    seq = first
    while True:
        seq += 1
        legs = tuple(Leg(pair="AAA~BBB", symbol=f"S{leg}", weight=float(seq), price=1.0) for leg in range(10))
        write_document(path, signal(seq=seq, legs=legs))


def read_many(path, count, killed, answers):
    """Read ``count`` times, and until enough writers died; report torn and mixed reads and signals met."""
    torn = mixed = reads = 0
    met = set()
    while reads < count or not killed.is_set():
        reads += 1
        try:
            document = read_document(path, Signal)
        except ArtifactError:
            torn += 1
            continue
        mixed += any(leg.weight != document.seq for leg in document.legs)
        met.add(document.seq)
    answers.put((reads, torn, mixed, len(met)))


def kill_in_the_middle(path, chance):
    """Start a writer, let it write a few signals, and kill it at any moment of its work."""
    before = read_document(path, Signal).seq
    writer = SPAWN.Process(target=write_for_ever, args=(path, before))
    writer.start()
    while read_document(path, Signal).seq < before + 3:
        time.sleep(0.001)
    time.sleep(chance.uniform(0.0, 0.01))
    os.kill(writer.pid, signals.SIGKILL)
    writer.join()


def test_no_torn_read_while_the_writer_is_killed(tmp_path):
    """Null hypothesis: some of 50,000 reads beside a writer under kill -9 are torn. None is."""
    path = tmp_path / "signal.json"
    write_document(path, signal(seq=0, legs=()))
    answers, killed, chance = SPAWN.Queue(), SPAWN.Event(), random.Random(3)
    readers = [SPAWN.Process(target=read_many, args=(path, READS // 2, killed, answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    kills = 0
    while kills < KILLS or answers.qsize() < len(readers):
        kill_in_the_middle(path, chance)
        kills += 1
        if kills >= KILLS:
            killed.set()
    found = [answers.get() for _ in readers]
    for reader in readers:
        reader.join()
    assert sum(reads for reads, _, _, _ in found) >= READS
    assert sum(torn for _, torn, _, _ in found) == 0
    assert sum(mixed for _, _, mixed, _ in found) == 0
    assert max(met for _, _, _, met in found) > KILLS
