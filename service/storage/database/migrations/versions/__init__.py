"""One change of the tables a file, in order. Released ones are never edited."""
