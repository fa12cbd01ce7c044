"""Operations: what can be done with a case, one a file; command line and workers take this one way."""
