"""The benches of the data rooms measure the same work on both sides."""

from perpfut_lib.bench import acquire, store
from perpfut_lib.config import SimulationConfig


def test_the_panel_bench_agrees_with_pandas_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(store, "BARS", 3000)
    monkeypatch.setattr(store, "END", store.START + 3000 * 60_000)
    panel, peak, audit = store.run()
    assert panel.max_abs_error == 0.0 and panel.ratio is not None
    assert peak.unit == "GiB" and 0 < peak.ours < 2
    assert audit.ours > 0


def test_the_download_bench_agrees_with_the_plain_loop_to_the_last_bit(monkeypatch):
    monkeypatch.setattr(acquire, "MARKET", SimulationConfig(days=5, symbols=2, planted_pairs=1))
    seconds, rate, weight, minutes = acquire.run()
    assert seconds.max_abs_error == 0.0 and rate.unit == "bar/s"
    assert (weight.ours, weight.peer) == (2112, 2630)
    assert 26 < minutes.ours < 27
