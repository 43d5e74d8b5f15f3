"""Measured comparisons, one command each: `python -m benchmarks.<name>`; results lie in `benchmarks/results/` as JSON.

data_sets.py reads the labelled sets, baselines.py holds the methods compared with, counting.py says how each figure is
counted, results.py stores what came out, tables.py writes it into the README and docs/quality.md.
"""
