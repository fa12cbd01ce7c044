"""Sandbox: a process that does one task at a time, with limits of time and memory, and that can be killed."""
