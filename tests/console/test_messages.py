"""People are told once, together, without secrets, again when a receiver was away, and when it is over."""

import http.server
import json
import threading

import pytest

from agent.clock import SystemClock
from agent.console.delivery import FIRST_PAUSE_MS, KEPT, AppriseSender, Outbox, notify_urls
from agent.console.faults import Fault
from agent.console.messages import DAY_MS, HOUR_MS, PER_HOUR, Message, MessageGroups
from agent.console.watch import Watchdog
from agent.observation.logs import Redactor
from perpfut_lib.artifacts import write_json
from perpfut_lib.errors import ConfigError
from tests.agent.documents import control
from tests.console.conftest import observer

DEAD = Fault("agent_dead", "critical", "The agent is gone.", "Nothing.", "Start it.", "after-a-crash")
DISK = Fault("disk", "warning", "The disk is full.", "Nothing.", "Make room.", "after-a-crash")


class Post:
    """A receiver that can be away."""

    def __init__(self):
        self.got, self.away = [], False

    def send(self, message):
        if not self.away:
            self.got.append(message)
        return not self.away


def test_faults_are_grouped_told_once_and_told_over():
    """Two faults make one message; they are not told again until an hour has passed; their end is told."""
    groups = MessageGroups("smoke", "https://book.example/")
    (first,) = groups.take([DEAD, DISK], 0)
    assert first.title == "smoke: The agent is gone. (and 1 more)"
    assert "What to do: Make room." in first.body
    assert "https://book.example/runbook.html#after-a-crash" in first.body
    assert groups.take([DEAD, DISK], 10_000) == []
    (again,) = groups.take([DEAD], HOUR_MS)[-1:]
    assert again.severity == "over" and "The disk is full." in again.body
    assert groups.take([], HOUR_MS + 1)[0].body.endswith("Nothing is wrong now.")


def test_a_flapping_fault_does_not_flood_and_its_end_is_not_lost():
    """However often it comes and goes, an hour has its limit; afterwards the state is told."""
    groups, sent = MessageGroups("smoke"), []
    for look in range(200):
        sent += groups.take([DEAD] if look % 2 == 0 else [], look * 10_000)
    assert len(sent) == PER_HOUR
    assert groups.take([DISK], 2 * HOUR_MS)[0].severity == "warning"


def test_a_new_critical_fault_is_told_although_the_hour_is_full():
    """Warnings that come and go do not keep a dead agent from a person, and it is told once for that."""
    groups = MessageGroups("smoke")
    for look in range(200):
        groups.take([DISK] if look % 2 == 0 else [], look)
    assert groups.take([DISK], 200) == []
    assert groups.take([DEAD, DISK], 201)[0].title.startswith("smoke: The agent is gone.")
    assert groups.take([DISK], 202) == groups.take([DEAD, DISK], 203) == []


def test_the_summary_comes_once_a_day(agent):
    """Not at the start, then with every new UTC day."""
    page, groups = observer(agent).overview(), MessageGroups("smoke")
    assert groups.summary(page, 5) is None
    assert groups.summary(page, DAY_MS - 1) is None
    told = groups.summary(page, DAY_MS)
    assert told is not None and "equity 10003.50" in told.body
    assert groups.summary(page, DAY_MS + 5) is None


def test_what_was_not_taken_is_sent_again_with_growing_pauses():
    """Nothing is lost while the receiver is away, nothing is tried too often, and the box is bounded."""
    post = Post()
    box = Outbox(post, Redactor({}))
    post.away = True
    for number in range(KEPT + 5):
        box.put(Message(str(number), "", "critical"))
    assert box.deliver(0) == 0 and len(box) == KEPT
    post.away = False
    assert box.deliver(FIRST_PAUSE_MS - 1) == 0
    assert box.deliver(FIRST_PAUSE_MS) == KEPT
    assert post.got[0].title == "5"


def test_secrets_do_not_leave_in_a_message():
    """Values of telling variables are blotted out."""
    post = Post()
    box = Outbox(post, Redactor({"BINANCE_API_KEY": "abcdef123456"}))
    box.put(Message("key abcdef123456", "token=xyzxyz", "critical"))
    box.deliver(0)
    assert post.got[0].title == "key ***" and "xyzxyz" not in post.got[0].body


def test_the_watchdog_tells_of_a_dead_agent_and_of_a_pause(agent):
    """The message that leaves is that of the fault that was injected, at the first look after it."""
    post = Post()
    watchdog = Watchdog(observer(agent, lambda: agent.now), post)
    assert watchdog.look(agent.now) == 0
    agent.folder.write(control(pause=True, run_id="console:anna", created_at=agent.now))
    assert watchdog.look(agent.now) == 1
    assert "Pause was ordered by console:anna" in post.got[-1].title
    write_json(agent.folder.heartbeat, {"time": agent.now - 200_000, "bar_close": 0, "doing": "waiting"})
    assert watchdog.look(agent.now) == 1
    assert post.got[-1].severity == "critical" and "not running" in post.got[-1].title


def test_the_watchdog_leaves_a_mark_after_every_look(agent, tmp_path):
    """A health check that looks at the mark's age sees a watchdog that hangs; the mark is not there before a look."""

    class Twice(SystemClock):
        def wait(self, milliseconds):
            seen.append(mark.exists())
            mark.unlink()
            return len(seen) == 2

    mark, seen = tmp_path / "looked", []
    Watchdog(observer(agent), Post()).run(Twice(), mark)
    assert seen == [True, True]


def test_apprise_brings_a_message_to_a_webhook(monkeypatch):
    """The real library posts to a receiver on loopback; a receiver that fails is not called one that took it."""
    pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    got, status = [], [200]

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, *_arguments):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PERPFUT_NOTIFY_URLS", f"json://127.0.0.1:{server.server_port}/hook")
        sender = AppriseSender(notify_urls())
        assert sender.send(Message("title", "body", "critical"))
        assert (got[0]["title"], got[0]["message"], got[0]["type"]) == ("title", "body", "failure")
        status[0] = 500
        assert not sender.send(Message("title", "body", "critical"))
        server.shutdown()


def test_an_address_that_is_none_is_refused_without_being_shown():
    """The error names the variable, not the address, which may hold a secret."""
    pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    with pytest.raises(ConfigError) as raised:
        AppriseSender(["nonsense-with-a-secret"])
    assert "secret" not in str(raised.value)


def test_without_any_address_the_watchdog_refuses_to_start():
    """A watchdog that can tell nobody says so instead of running on."""
    pytest.importorskip("apprise", reason="the extra `notify` is not installed")
    with pytest.raises(ConfigError, match="no notification address"):
        AppriseSender([])
