"""Execution planning: from target positions to orders. Pure: no clock, no network, and no trading framework."""
