# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""A full service that refuses with resets: at once, without state, and nothing else is harmed."""

from support import clients, config, open_loop


def story_beyond_its_limit_clients_are_refused_and_the_others_served(world):
    """40 requests a second can be served, 160 come."""
    images = {"web": config.image(service_us=50_000, workers=2)}
    service = config.service(instances=(1, 1), soft=3, hard=4, idle_after="5s",
                             overload={"action": "reset", "per_source": 0})
    daemon = world.start(images=images, services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    result = open_loop.load("160x4", timeout=20)
    counts = open_loop.counts(result)
    assert set(counts) <= {"200", "reset"}, counts
    assert counts["200"] >= 80 and counts["reset"] > 100, counts
    assert clients.curl().ok, "after it"
    admission = daemon.telemetry.admission()
    assert admission["with_reset"] == admission["rejected_full"] + admission["rejected_hold_full"], admission
    assert daemon.telemetry.services()["hello"]["hold_expired"] == 0


def story_a_client_that_hammers_gets_no_answer(world):
    images = {"web": config.image(service_us=1_000_000, workers=1)}
    service = config.service(instances=(0, 1), soft=1, hard=1, idle_after="5s",
                             overload={"action": "reset", "per_source": 10})
    daemon = world.start(images=images, services={"hello": service})
    keeper = world.until_the_end(clients.KeepAlive())
    assert keeper.get()[0] == 200
    counts = open_loop.counts(open_loop.load("200x1", timeout=1))
    assert counts.get("timeout", 0) > 100, counts
    assert daemon.telemetry.admission()["with_silent"] > 100


def story_while_one_boots_so_many_wait_as_it_can_take(world):
    images = {"web": config.image(service_us=20_000, workers=4)}
    service = config.service(instances=(0, 1), soft=4, hard=8, idle_after="5s",
                             overload={"action": "reset", "per_source": 0})
    daemon = world.start(images=images, services={"hello": service})
    result = open_loop.load("4000x0.01", timeout=10)  # forty at once, to a service at zero
    counts = open_loop.counts(result)
    assert counts["200"] >= 8 and counts["200"] + counts["reset"] == 40, counts
    assert daemon.telemetry.admission()["rejected_hold_full"] == counts["reset"]
