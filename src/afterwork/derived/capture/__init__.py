"""Have the tables that derivations read captured, and prove that no change was missed."""
