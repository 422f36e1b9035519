"""Find the objects whose values a change touches from the expression itself: no run has to remember what it read."""
