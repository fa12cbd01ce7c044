"""Requests: models of what is asked for, and the text that a plan states it in."""
