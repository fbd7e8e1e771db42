"""The executor inside Hummingbot: the script that it runs, and how it is installed."""
