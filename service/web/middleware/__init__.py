"""Middleware: keys, rate limits, origins and compression, around every route."""
