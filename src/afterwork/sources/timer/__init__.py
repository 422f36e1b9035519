"""Timers start jobs: the passage of time, plus a criterion."""
