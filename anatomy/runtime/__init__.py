"""Runtime: how loops are compiled, where compiled ones are kept, and how work is spread over threads."""
