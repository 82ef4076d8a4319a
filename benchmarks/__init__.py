"""The figures: each `bench_*.py` measures one thing. `make bench` runs them all."""
