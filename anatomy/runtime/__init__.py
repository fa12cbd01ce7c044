"""Runtime: how loops are compiled, where compiled loops are cached, and how work is divided among threads."""
