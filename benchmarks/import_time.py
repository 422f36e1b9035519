"""How long `import afterwork` takes, as a ratio to `import sqlalchemy.orm`, which each model imports anyway.

    python benchmarks/import_time.py [--rounds 15]

Each import is that of a process of its own, in turns. What counts is the processor's time, without that of a process
that imports nothing, and the least of all rounds, since other programs only ever add to it. Exits with 1 above the
target.
"""

import argparse
import os
import sys

TARGET = 1.3
"""At most this many times `import sqlalchemy.orm`."""

MODEL = "import sqlalchemy.orm, afterwork as aw; aw.AsyncTicket, aw.ViewModel, aw.method, aw.derived, aw.Every"
APPLICATION = MODEL + ", aw.Afterwork"
PROGRAMS = {
    "nothing": "",
    "import sqlalchemy.orm": "import sqlalchemy.orm",
    "import afterwork": "import afterwork",
    "what a model is declared with": MODEL,
    "aw.Afterwork, with the server": APPLICATION,
}


def seconds(source: str) -> float:
    """Return the processor's time that a new process takes to run a program."""
    process = os.posix_spawn(sys.executable, [sys.executable, "-c", source], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        sys.exit(f"It failed: {source}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description="How long the import of Afterwork takes.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    taken = {name: [seconds(source)] for name, source in PROGRAMS.items()}  # the first compiles modules
    for _ in range(rounds):
        for name, source in PROGRAMS.items():
            taken[name].append(seconds(source))
    least = {name: min(times) for name, times in taken.items()}
    base = least["import sqlalchemy.orm"] - least["nothing"]
    ratios = {name: (took - least["nothing"]) / base for name, took in least.items()}
    for name in PROGRAMS:
        print(f"{name:32} {1000 * least[name]:6.0f} ms   {ratios[name]:5.2f}")
    if ratios["import afterwork"] > TARGET:
        sys.exit(f"import afterwork takes more than {TARGET} times as long as import sqlalchemy.orm.")


if __name__ == "__main__":
    main()
