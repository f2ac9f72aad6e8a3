"""The benchmarks: how fast, how flat, how big; `make bench` runs them all."""
