"""Verification of statements: numbers, order and sentences of a plan against its records."""
