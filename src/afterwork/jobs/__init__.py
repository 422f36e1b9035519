"""How a piece of work runs: alone in its lane, in one transaction, or outside of any."""
