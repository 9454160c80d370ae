# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The act of ./demo on load that rises and falls: instances that follow it, with the reason of each step. The client
is bench/failfast_client: requests at fixed moments, whether the earlier ones were answered or not."""

import concurrent.futures
import contextlib
import datetime
import subprocess

from support import config, open_loop, wait

WAVE_PORT, WAVE_SERVICE = 8081, "wave"  # examples/demo.yaml, as all ports and rates here
WAVE_PHASES = ("30x1.5", "140x2", "30x2")  # 3.5 VMs: not at the edge between two sizes


class Wave:
    """Load that rises and falls, and the daemon's own words for each change of size that it led to."""

    def __init__(self, running, log, wait_for_zero):
        """`log` looks at a service's numbers and shows their changes; `wait_for_zero` until no VM is left."""
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            load = pool.submit(open_loop.load, *WAVE_PHASES, port=WAVE_PORT, timeout=20)
            while not load.done():
                log.look(running.telemetry.services()[WAVE_SERVICE])
                concurrent.futures.wait([load], timeout=0.003)
            answers = open_loop.counts(load.result())
        wait_for_zero(lambda: log.look(running.telemetry.services()[WAVE_SERVICE]))
        self.requests = sum(answers.values())
        self.answered = answers.get("200", 0)
        self.peak = log.peak

    def steps(self, trace):
        """[(ms since the first one, words)] of the decisions that changed the size of the service, down to zero; they
        are in the file a little after they were made."""
        found = []

        def down_to_zero():
            found[:] = self._steps_so_far(trace)
            return found and "-> 0:" in found[-1][1]
        with contextlib.suppress(wait.TookTooLong):  # the verdict counts them
            wait.wait_until("the last decision is in the file", down_to_zero, within_s=3, poll_s=0.1)
        return found

    @staticmethod
    def _steps_so_far(trace):
        told = subprocess.run([config.built("tools/cheshire"), "trace", trace], capture_output=True, text=True,
                              check=True, timeout=10).stdout
        found = []
        for line in told.splitlines():
            moment, service, words = line.split("  ", 2)
            sizes = words.split(":", 1)[0].split(" -> ")
            if service == WAVE_SERVICE and len(sizes) == 2 and sizes[0] != sizes[1]:
                found.append((datetime.datetime.fromisoformat(moment.rstrip("Z")), words))
        return [((moment - found[0][0]) / datetime.timedelta(milliseconds=1), words) for moment, words in found]
