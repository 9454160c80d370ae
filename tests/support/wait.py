# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Waiting for something to happen, with a deadline. Nothing here waits for time to pass as such."""

import threading
import time

_pause = threading.Event()  # never set: a pause that signals interrupt


class TookTooLong(AssertionError):
    pass


def wait_until(what, condition, within_s, poll_s=0.002):
    """Returns the first true value of condition(), which is asked at least once."""
    deadline = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TookTooLong(f"not within {within_s} s: {what}")
        _pause.wait(poll_s)
