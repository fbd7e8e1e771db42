"""The one figure style of the book."""

import seaborn

from perpfut_lib.report.style import PALETTE


def test_palette_is_seaborn_s_colour_blind_one():
    """The colours written down are those that seaborn names."""
    assert list(PALETTE) == seaborn.color_palette("colorblind").as_hex()
