"""The demonstration opens its console where there is a display, and only says where it is elsewhere."""

import webbrowser

import pytest

from agent.demo import console


@pytest.mark.parametrize(("display", "opened"), [("", []), (":0", ["http://127.0.0.1:1"])])
def test_a_browser_is_opened_only_where_there_is_a_display(monkeypatch, display, opened):
    """Without a display no browser is started: one in a terminal would take it over."""
    visited = []
    monkeypatch.setattr(console.sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr(webbrowser, "open", lambda address: visited.append(address) or True)
    assert console.visit("http://127.0.0.1:1") is bool(opened)
    assert visited == opened
