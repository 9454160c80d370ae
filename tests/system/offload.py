# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A NIC without flow rules, as net_tap is, is told apart at the start, and software does it all."""

from support.clients import curl
from support.wait import wait_until


def story_net_tap_has_no_flow_rules_and_that_is_told(world):
    daemon = world.start()
    wait_until("the log says that there is no offload", lambda: "flow offload: mark: off" in daemon.log(), within_s=5)
    offload = daemon.telemetry.ask("/cheshire/offload")
    assert offload["mark"]["state"] == "off" and offload["mark"]["reason"], offload
    assert curl().ok
