"""Which pairs to trade: the history of every symbol and the screen of the study on it."""
