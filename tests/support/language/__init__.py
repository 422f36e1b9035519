"""The model, the cases and the generators that the tests of the language share."""
