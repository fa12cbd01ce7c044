"""Host: what the machine gives: whole files, locks, repeated work in threads, and its limits."""
