"""`python docs/spec`: search every model; `python docs/spec folding small` only those bounds; `--table` what to quote.

Prints for each bounds how many states there are, and for each guard that is left out the shortest schedule that breaks
a law. Ends with 1 if a law is broken that should hold, or one holds that should be broken.
"""

from __future__ import annotations

import sys
from time import process_time

import blaming
import expiring
import folding
import publishing
import quarantining
import restoring
import switching
from explore import search

MODELS = {one.__name__: one for one in (publishing, quarantining, blaming, folding, expiring, switching, restoring)}


def main(asked: list[str]) -> int:
    wrong, total, began = 0, 0, process_time()
    for name in [one for one in asked if one in MODELS] or MODELS:
        model = MODELS[name]
        for bounds in model.WHOLE:
            if "small" in asked and not bounds.is_small:
                continue
            before = process_time()
            found = search(bounds.model)
            total += found.states
            wrong += found.law is not None
            seconds = process_time() - before
            print(f"{name}: {bounds.title}: {found.states:,} states, {seconds:.1f} s", flush=True)
            tell(f"BROKEN: {found.law}" if found.law else "", found.story)
        for left_out in model.WITHOUT:
            found = search(left_out.model)
            wrong += found.law is not left_out.law
            said = f"{name} without {left_out.guard.name} ({left_out.guard}): {found.law or 'NOTHING IS BROKEN'}"
            tell(said, () if "--table" in asked else found.story)
    print(f"{total:,} states, {process_time() - began:.0f} s, {wrong} surprises")
    return min(wrong, 1)


def tell(what: str, story: tuple[str, ...]) -> None:
    if what:
        print(what, *(f"  {number:2} {step}" for number, step in enumerate(story, 1)), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
