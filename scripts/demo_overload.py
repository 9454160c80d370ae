# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The act of ./demo on overload: three times as many requests as one VM can serve, without a limit and with one."""

from support import open_loop

PER_SECOND, SECONDS = 150, 3  # one VM, one request of 20 ms at a time: fifty a second
SERVICES = {"open": 8400, "guarded": 8401}
WORDS = {"open": "without a limit", "guarded": "in_flight.hard 2, http503"}


class Overload:
    """What clients saw of both services: {service: the client's result}."""

    def __init__(self):
        self.results = {name: open_loop.load(f"{PER_SECOND}x{SECONDS}", port=port, timeout=30, within_s=60)
                        for name, port in SERVICES.items()}

    def lines(self):
        for name, result in self.results.items():
            counts = ", ".join(f"{number} {answer}" for answer, number in sorted(open_loop.counts(result).items()))
            served = result["answers"].get("200", {"median_ms": 0, "max_ms": 0})
            yield (f"{WORDS[name]:<28} {counts:<20} served in {served['median_ms']:.0f} ms by the median, "
                   f"{served['max_ms']:.0f} at most")

    def figures(self):
        return {name: {"answers": open_loop.counts(result), "all": result["all"]}
                for name, result in self.results.items()}

    def faults(self):
        strange = set(open_loop.counts(self.results["guarded"])) - {"200", "503"}
        return [f"overload: clients of the guarded service saw {', '.join(sorted(strange))}"] if strange else []
