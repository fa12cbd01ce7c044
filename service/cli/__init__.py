"""Command line: one module for each family of commands; `text/` writes plans as tables."""
