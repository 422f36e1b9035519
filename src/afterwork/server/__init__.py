"""The process that runs jobs: its loop, how it sleeps and is woken, and how it is known to live."""
