"""Out-of-sample evaluation: rollouts through the one decision function, calendar-time portfolios, metrics."""
