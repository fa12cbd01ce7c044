"""Service: command line, REST and the page, the jobs that they start, and the storage."""
