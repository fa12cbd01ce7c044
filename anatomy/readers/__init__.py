"""Readers: one input format a file, each as stored; `read` finds out which it is."""
