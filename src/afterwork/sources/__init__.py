"""Sources of work: tickets, timers, actions that run once, and stale caches."""
