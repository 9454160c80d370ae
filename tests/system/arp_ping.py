# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""The daemon answers ARP and ping for its VIPs itself; no VM is woken for that."""

import subprocess

from support import config
from support.wire import Wire, resolve


def ping(address, size=56):
    """How many of three pings were answered."""
    done = subprocess.run(["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "1", "-s", str(size), address],
                          capture_output=True, text=True)
    return int(done.stdout.split(" received")[0].split()[-1])


def story_ping_is_answered(world):
    daemon = world.start()
    for size in (0, 56, 1400):
        assert ping(config.VIP, size) == 3, f"{size} bytes"
    service = daemon.telemetry.services()["hello"]
    assert (service["cold_starts"], service["booting"], service["active"]) == (0, 0, 0), service


def story_arp_is_answered_for_vips_only(world):
    world.start()
    with Wire() as wire:
        mac = resolve(wire)
        assert mac is not None, "no ARP answer for the VIP"
        assert int(mac[:2], 16) & 1 == 0, f"{mac} is a group address"
        assert resolve(wire, ip="192.0.2.99", within_s=0.3) is None, "answered for somebody else's address"
        assert resolve(wire, vlan=7) == mac, "no tagged answer to a tagged question"


def story_pings_of_other_addresses_are_not_answered(world):
    daemon = world.start()
    assert ping("192.0.2.99") == 0
    assert sum(daemon.telemetry.drops().values()) > 0
