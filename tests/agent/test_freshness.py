"""Freshness: a reader acts on a document only while sequence, wall clock and monotonic age all agree."""

import hypothesis.strategies as st
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from perpfut_lib.artifacts import Clocks, Freshness, Seen, Tolerance, assess
from tests.agent.documents import MINUTE, NOW, signal

TOLERANCE = Tolerance(skew=2_000, max_age=3 * MINUTE)


def judge(document, seen=None, wall=NOW, monotonic=0):
    return assess(document, document.expires_at, seen or Seen(), Clocks(wall, monotonic), TOLERANCE)


def test_a_new_document_is_fresh_until_it_expires():
    """Valid in [created - skew, expires): the edges are exact."""
    edges = {
        NOW - 2_001: Freshness.FUTURE,
        NOW - 2_000: Freshness.FRESH,
        NOW + 3 * MINUTE - 1: Freshness.FRESH,
        NOW + 3 * MINUTE: Freshness.EXPIRED,
    }
    assert {wall: judge(signal(), wall=wall)[0] for wall in edges} == edges


def test_an_old_sequence_number_is_a_replay():
    """A file put back from yesterday is refused although its own clock window may still be open."""
    _, seen = judge(signal(seq=8))
    assert judge(signal(seq=7), seen)[0] == Freshness.REPLAYED


def test_a_sequence_number_names_one_content():
    """The same number with other content is refused, with the same content it is the same document."""
    _, seen = judge(signal())
    assert judge(signal(), seen)[0] == Freshness.FRESH
    assert judge(signal(run_id="other"), seen)[0] == Freshness.REUSED


def test_a_stopped_wall_clock_does_not_keep_a_document_young():
    """The monotonic age ends what a wall clock that stands still would keep alive."""
    _, seen = judge(signal())
    assert judge(signal(), seen, monotonic=3 * MINUTE - 1)[0] == Freshness.FRESH
    assert judge(signal(), seen, monotonic=3 * MINUTE)[0] == Freshness.AGED


def test_a_document_from_the_future_is_not_remembered():
    """A writer with a wrong clock cannot lock out the right one that follows with a lower number."""
    _, seen = judge(signal(seq=900, created_at=NOW + MINUTE))
    assert seen == Seen()
    assert judge(signal(seq=8), seen)[0] == Freshness.FRESH


class Readers(RuleBasedStateMachine):
    """A writer, an attacker who puts old files back, stepping clocks, and one reader."""

    def __init__(self):
        super().__init__()
        self.wall, self.monotonic, self.seq = NOW, 0, 0
        self.files = [signal(seq=0, created_at=NOW, expires_at=NOW + 3 * MINUTE)]
        self.current, self.seen = self.files[0], Seen()
        self.met: dict[int, int] = {}
        self.highest = -1

    @rule()
    def write(self):
        """Write the next signal at the time of the wall clock."""
        self.seq += 1
        self.current = signal(seq=self.seq, created_at=self.wall, expires_at=self.wall + 3 * MINUTE)
        self.files.append(self.current)

    @rule(data=st.data())
    def put_back(self, data):
        """Bring an old file back."""
        self.current = data.draw(st.sampled_from(self.files))

    @rule(by=st.integers(1, 2 * MINUTE))
    def pass_time(self, by):
        """Let both clocks run."""
        self.wall, self.monotonic = self.wall + by, self.monotonic + by

    @rule(by=st.integers(-10 * MINUTE, 10 * MINUTE))
    def step_clock(self, by):
        """Set the wall clock."""
        self.wall += by

    @invariant()
    def never_acts_on_a_stale_document(self):
        """Act on the newest document met only, inside its window, while it is young."""
        freshness, self.seen = judge(self.current, self.seen, self.wall, self.monotonic)
        if self.current.created_at <= self.wall + TOLERANCE.skew:
            self.met.setdefault(self.current.seq, self.monotonic)
            self.highest = max(self.highest, self.current.seq)
        if freshness == Freshness.FRESH:
            assert self.current.seq == self.highest
            assert self.current.created_at - TOLERANCE.skew <= self.wall < self.current.expires_at
            assert self.monotonic - self.met[self.current.seq] < TOLERANCE.max_age


TestReaders = Readers.TestCase


@given(st.integers(0, 10), st.integers(0, 10), st.integers(-5, 200), st.integers(0, 200))
def test_memory_never_forgets_the_highest_number(first, second, seconds, age):
    """``seen.seq`` never falls."""
    _, seen = judge(signal(seq=first))
    _, later = judge(signal(seq=second), seen, NOW + 1_000 * seconds, 1_000 * age)
    assert later.seq >= seen.seq
