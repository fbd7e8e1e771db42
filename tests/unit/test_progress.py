"""Progress bars reach the stream that the runner names, and stay silent when told to."""

from perpfut_lib.progress import PROGRESS_STREAM, track


def test_bars_go_to_the_named_stream(tmp_path, monkeypatch, capsys):
    """With a stream named, the bar is written there and nowhere else."""
    monkeypatch.setenv(PROGRESS_STREAM, str(tmp_path / "bars"))
    assert list(track(range(3), label="counting", unit="bar")) == [0, 1, 2]
    assert "counting" in (tmp_path / "bars").read_text()
    assert capsys.readouterr().err == ""


def test_empty_name_silences(monkeypatch, capsys):
    """An empty stream name means no bar at all."""
    monkeypatch.setenv(PROGRESS_STREAM, "")
    assert list(track(iter([1, 2]), label="counting")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_bars_go_to_standard_error_by_default(monkeypatch, capsys):
    """Outside the runner the bar shows on standard error."""
    monkeypatch.delenv(PROGRESS_STREAM, raising=False)
    assert list(track([1], label="counting")) == [1]
    assert "counting" in capsys.readouterr().err
