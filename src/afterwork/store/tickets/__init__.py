"""The statements on tickets."""
