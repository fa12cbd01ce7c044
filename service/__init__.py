"""Who may ask: command line, REST and the page, the jobs they order, and what is kept."""
