"""Waiting for tickets to end, in the program that asked for them."""
