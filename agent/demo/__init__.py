"""The closed loop on one machine: local exchange, agent, governor and real Hummingbot, compared with the backtest."""
