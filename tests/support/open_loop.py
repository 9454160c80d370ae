# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The open-loop client (bench/failfast) in a story: requests at fixed moments, each on a connection of its own."""

import json
import subprocess

from . import config, netns, processes

FIRST_SOURCE = "192.0.2.100"  # clients that are told apart by their addresses


def give_sources(count):
    """Addresses from FIRST_SOURCE on, on the tap."""
    network, first = FIRST_SOURCE.rsplit(".", 1)
    for number in range(count):
        netns.ip("address", "add", f"{network}.{int(first) + number}/24", "dev", config.TAP)


def load(*phases, sources=0, port=80, within_s=120, **options):
    """Runs phases like "320x10" to their end; the client's JSON. options: timeout=30, retries=5, pause=0.2."""
    command = [config.built("bench/failfast_client"), f"{config.VIP}:{port}", *phases]
    if sources:
        command += ["--first-source", FIRST_SOURCE, "--sources", str(sources)]
    for name, value in options.items():
        command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    process = processes.spawn(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        text, complaint = process.communicate(timeout=within_s)
    finally:
        processes.end(process, asked_s=0)
    assert process.returncode == 0, f"failfast_client ended with status {process.returncode}: {complaint}"
    return json.loads(text)


def counts(result):
    """{"200": 17, "503": 4}: how many requests ended how."""
    return {answer: row["count"] for answer, row in result["answers"].items()}
