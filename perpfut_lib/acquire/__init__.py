"""Where candles and funding rates come from: recorded files, the simulated market, exchanges and their archives."""
