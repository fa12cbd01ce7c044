"""Benchmarks: `make bench` runs them all and prints one table, `make bench ONLY=line_tests` runs one.

A number from one machine says little, so each comparison is a ratio measured in one run.
"""
