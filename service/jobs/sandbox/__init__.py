"""Sandbox: a process that runs one task at a time, within a time and a memory, and can be killed."""
