"""Host: what the operating system offers: atomic files, locks, periodic threads, and limits."""
