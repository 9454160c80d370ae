# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Clients that are refused and come again: when the overload is over, the system serves all, by itself."""

from support import config, open_loop


def story_after_overload_with_clients_that_retry_everybody_is_served(world):
    """80 requests a second can be served. 60, then 240 for 3 s, then 40; the refused come up to 20 times."""
    images = {"web": config.image(service_us=50_000, workers=4)}
    service = config.service(instances=(1, 1), soft=6, hard=8, idle_after="5s",
                             overload={"action": "http503", "retry_after": "1s", "retry_jitter": "3s",
                                       "per_source": 0})
    daemon = world.start(images=images, services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    result = open_loop.load("60x2", "240x3", "40x12", timeout=20, retries=20)
    counts = open_loop.counts(result)
    print(f"{result['asked']} clients, {result['tries']} tries, {result['served']} served: {counts}")
    assert set(counts) <= {"200", "503"}, counts
    assert counts["503"] > 200, "there was no overload"
    assert result["served"] == result["asked"], "somebody never got in"
    calm = [row for row in result["series"] if row["second"] > 25]
    assert all(row["503"] == 0 for row in calm[-10:]), "it did not come back"


def story_rude_clients_that_come_at_once_do_not_keep_it_down(world):
    images = {"web": config.image(service_us=50_000, workers=4)}
    service = config.service(instances=(1, 1), soft=6, hard=8, idle_after="5s",
                             overload={"action": "reset", "per_source": 0})
    daemon = world.start(images=images, services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    result = open_loop.load("160x3", "20x8", timeout=20, retries=100, pause=0.2, rude=True)
    counts = open_loop.counts(result)
    print(f"{result['asked']} clients, {result['tries']} tries, {result['served']} served: {counts}")
    assert set(counts) <= {"200", "reset"}, counts
    assert result["served"] == result["asked"], "somebody never got in"
