"""How many examples caches and machines are tried with: few as a rule, and `EXAMPLES` with `make prove`."""

import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "few",
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
settings.register_profile(
    "prove",
    parent=settings.get_profile("few"),
    phases=list(Phase),
    max_examples=int(os.environ.get("EXAMPLES") or 10_000),
    stateful_step_count=25,
    derandomize=False,
    print_blob=True,
)


def examples(one_in: int) -> settings:
    """The profile that the environment asks for. With `make prove`, one in so many examples on each database."""
    if not os.environ.get("EXAMPLES"):
        return settings.get_profile("few")
    proving = settings.get_profile("prove")
    return settings(proving, max_examples=-(-proving.max_examples // one_in))
