"""Benchmarks: ours beside the peer, interleaved in one run, with a check that both give the same answer."""
