# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""An instance whose process lives and which answers nothing any more is found out and replaced."""

import os
import signal
import time

from support import clients, config
from support.wait import wait_until

HEALTH = {"silent_after": "500ms", "probe_every": "100ms"}


def silence(world, daemon):
    """Stops the VM of the only instance, as a guest that hangs; returns its name."""
    ((name, pid),) = daemon.wait_for_vms("hello", 1, state="active").items()
    os.kill(pid, signal.SIGSTOP)
    return name


def delay_ns(daemon):
    return daemon.telemetry.services()["hello"].get("metric_queue_delay", 0)


def story_its_flows_are_reset_and_the_next_client_is_served(world):
    service = config.service(instances=(0, 2), idle_after="20s", health=HEALTH)
    daemon = world.start(services={"hello": service})
    with clients.KeepAlive() as connection:
        assert connection.get()[0] == 200
        name = silence(world, daemon)
        connection.send_get()
        waited_s = connection.wait_for_reset(within_s=5)
    print(f"reset {waited_s:.2f} s after the question")
    wait_until("it is gone", lambda: name not in daemon.telemetry.instances(), 15)
    assert clients.curl().ok
    assert daemon.telemetry.services()["hello"]["silent"] == 1


def story_one_that_nobody_asks_is_found_by_a_probe_and_replaced(world):
    service = config.service(instances=(1, 2), idle_after="20s", health=HEALTH)
    daemon = world.start(services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    name = silence(world, daemon)
    wait_until("another one is active", lambda: any(
        other != name and instance["state"] == "active"
        for other, instance in daemon.telemetry.instances().items()), 15)
    assert clients.curl().ok


def story_a_guest_that_takes_nothing_shows_a_growing_queue_delay(world):
    daemon = world.start(services={"hello": config.service(instances=(1, 1), idle_after="20s")})
    with clients.KeepAlive() as connection:
        assert connection.get()[0] == 200
        before = delay_ns(daemon)
        silence(world, daemon)
        connection.send_get()
        wait_until("the packet that it has not taken is half a second old",
                   lambda: delay_ns(daemon) > 500_000_000, 10)
        assert before < 100_000_000, before


def story_an_overloaded_instance_is_not_taken_for_a_dead_one(world):
    images = {"web": config.image(service_us=2_000_000, workers=1)}
    service = config.service(instances=(0, 1), soft=8, idle_after="20s", health=HEALTH)
    daemon = world.start(images=images, services={"hello": service})
    transfer = world.until_the_end(clients.Curl(clients.url(), times=3, at_once=3, max_time_s=30))
    time.sleep(3)  # six times silent_after, with somebody waiting all the time
    assert daemon.telemetry.services()["hello"]["silent"] == 0
    assert all(answer.ok for answer in transfer.answers())
