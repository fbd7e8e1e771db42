"""Candles on disk, validated, and the panel that every later stage reads."""
