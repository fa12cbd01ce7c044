"""Organ limits: the dose of organs compared with published tables, row by row, with what is in doubt."""
