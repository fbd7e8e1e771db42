"""The one figure style of the book."""

import pytest

from perpfut_lib.report.style import PALETTE


def luminance(color):
    """Return the relative luminance of ``#rrggbb`` as WCAG 2.1 defines it."""
    shares = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", PALETTE)
def test_every_colour_stands_out_from_white(color):
    """WCAG asks graphics for a contrast of 3 : 1."""
    assert 1.05 / (luminance(color) + 0.05) >= 3.0


def test_the_measure_knows_a_pale_colour():
    """The yellow that was in the palette before fails it."""
    assert 1.05 / (luminance("#ece133") + 0.05) < 3.0


def test_no_two_colours_are_alike():
    """Each pair differs clearly in at least one channel."""
    channels = [[int(color[place : place + 2], 16) for place in (1, 3, 5)] for color in PALETTE]
    pairs = [(a, b) for number, a in enumerate(channels) for b in channels[:number]]
    assert min(max(abs(x - y) for x, y in zip(a, b, strict=True)) for a, b in pairs) >= 30
