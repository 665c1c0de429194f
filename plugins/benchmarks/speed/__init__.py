"""Benchmarks: ratios within one process, interleaved, after a warm-up, as medians."""
