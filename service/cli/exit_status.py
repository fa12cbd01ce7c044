"""Exit statuses of `seedpath`."""

DONE = 0
"""Planned, with all goals met; verified; or done."""

NOT_ALL = 1
"""No plan fits, goals are not met, or a claim failed or could not be checked."""

BAD_INPUT = 2

FAULT = 3
"""A fault of this software."""

INTERRUPTED = 130
"""As shells say of SIGINT: 128 and its number."""
