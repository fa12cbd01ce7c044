"""Host: what every layer stands on: files, locks, threads and limits of the machine, the root of errors."""
