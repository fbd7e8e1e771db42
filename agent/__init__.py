"""The deployable agent: slow tick, fast tick, governor and executor over ``perpfut_lib``."""
