"""The process that runs jobs: its loop, its sleep and wake-ups, and its signs of life."""
