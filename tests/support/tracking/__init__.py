"""Models, recorded reads in words, and random statements for the tests of tracking."""
