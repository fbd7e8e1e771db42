"""The command ``perpfut``: one verb or noun per module; a failure on purpose prints one message and exits with 2."""

from perpfut_lib.cli.application import main

__all__ = ["main"]
