"""Wording: every sentence of a plan, written from its records alone."""
