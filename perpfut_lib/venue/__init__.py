"""The local exchange: a simulated market with known truth, or stored candles, behind real wire formats on loopback."""
