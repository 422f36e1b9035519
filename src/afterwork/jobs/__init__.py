"""Running jobs: alone in their lane, several in one transaction, or outside any."""
