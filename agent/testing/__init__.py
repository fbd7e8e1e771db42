"""Fault injection, the fault drill and the soak. Nothing that runs live imports this package."""
