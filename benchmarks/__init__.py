"""Benchmarks: our way against the way tutorials teach it, on the same data, in one run, interleaved."""
