"""The shop at work: `python -m examples.shop.demo`, `make demo` or `afterwork demo`."""
