"""Operations: what can be done with a case, one in each file; command line and workers use the same
functions."""
