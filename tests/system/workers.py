# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Three workers: whichever queue a client's packets come to, the service's own worker serves it. Two CPUs do, as
workers may share one."""

import ctypes
import fcntl
import socket
import struct
import subprocess
import time

from support import config, netns
from support.clients import curl, url
from support.telemetry import unaccounted
from support.wait import wait_until

CLIENTS = 24


def _workers(world, **changes):
    """Three workers and five services, of workers 0, 1, 2, 0 and 2."""
    services = {name: config.service(port=port, guest=f"10.0.0.{number}:8080")
                for number, (name, port) in enumerate([("a", 8000), ("b", 8001), ("c", 8002), ("d", 8003)], 2)}
    services["e"] = config.service(port=8004, guest="10.0.0.9:8080", worker=2)
    values = world.config(services=services, images={"web": config.image(body=256)}, **changes)
    values["eal"]["lcore"] = [0, 1, 1]
    return values


def _make_wire():
    """From the clients' device to veth1."""
    netns.ip("link", "add", config.TAP, "type", "veth", "peer", "name", "veth1")
    netns.ip("link", "set", "veth1", "up")


def _finish_checksums(device):
    """Over a veth the kernel leaves TCP checksums to a NIC that is not there; `ethtool --offload tx off`."""
    siocethtool, ethtool_stxcsum = 0x8946, 0x17
    value = ctypes.create_string_buffer(struct.pack("II", ethtool_stxcsum, 0))
    request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocethtool, request)


def _accounted(daemon):
    """The rows of the workers, if they account for every packet: in the middle of a turn they do not."""
    workers = daemon.telemetry.workers()
    whole = all(unaccounted(row) == 0 for row in workers.values()) and \
        workers["all"]["handed_over"] == workers["all"]["taken_over"]
    return workers if whole else None


def _settled(daemon):
    return wait_until("every packet is accounted for", lambda: _accounted(daemon), within_s=5)


def _everybody_is_served(daemon):
    for _ in range(CLIENTS):
        for port in range(8000, 8005):
            answer = curl(url(port=port))
            assert answer.ok and len(answer.body) == 256, (port, answer)
    services = daemon.telemetry.services()
    assert all(service["flows_opened"] == CLIENTS for service in services.values()), services
    return _settled(daemon)


def story_net_tap_with_a_queue_for_each_worker(world):
    daemon = world.start(_workers(world))
    workers = _everybody_is_served(daemon)
    assert all(workers[number]["nic_tx_packets"] > 0 for number in "012"), "each owner answers by its own queue"
    assert all(workers[number]["packets_from_guest"] > 0 for number in "012"), workers
    assert workers["all"]["handed_over"] > 0, "a client's first packet comes where the kernel's hash says"
    status = subprocess.run([config.built("tools/cheshire"), "status", "--name", world.sandbox.name],
                            capture_output=True, text=True, check=True).stdout
    assert "\nall " in status and "\n2 " in status and "handed over" in status, status


def story_net_af_packet_spreads_by_its_own_hash(world):
    _make_wire()
    _finish_checksums(config.TAP)
    values = _workers(world)
    values["nic"]["device"] = "net_af_packet0,iface=veth1,qpairs=3"
    daemon = world.start(values)
    workers = _everybody_is_served(daemon)
    assert sum(workers[number]["nic_rx_packets"] > 0 for number in "012") > 1, workers


def story_a_device_with_too_few_transmit_queues_is_told_and_how_to_mend_it(world):
    _make_wire()
    values = _workers(world)
    values["nic"]["device"] = "net_af_packet0,iface=veth1"
    path = world.write(values)
    result = subprocess.run([config.built("cheshired"), "--config", path], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1, result
    assert "has 1 transmit queues, and each of the 3 workers needs one" in result.stderr, result.stderr


def story_an_instance_of_another_worker_dies_and_its_slot_is_used_again(world):
    daemon = world.start(_workers(world))
    for round_ in range(3):
        for port in (8001, 8004):
            assert curl(url(port=port)).ok, (round_, port)
        for name, instance in daemon.telemetry.instances().items():
            subprocess.run(["kill", "-9", str(instance["pid"])], check=True)
            wait_until(f"{name} is gone", lambda name=name: name not in daemon.telemetry.instances(), within_s=10)
    _settled(daemon)


def story_workers_with_nothing_to_do_sleep_until_the_nic_or_another_worker_wakes_them(world):
    daemon = world.start(_workers(world))
    last = {}

    def asleep():
        """Napping they would turn some ten thousand times a second, asleep they do some two hundred times."""
        now, workers = time.monotonic(), daemon.telemetry.workers()
        turns = {number: workers[number]["turns"] for number in "012"}
        rates = [(turns[number] - last["turns"][number]) / (now - last["time"]) for number in turns if last]
        last.update(time=now, turns=turns)
        return rates and max(rates) < 1000

    wait_until("all three sleep", asleep, within_s=10, poll_s=0.2)
    for port in 3 * list(range(8000, 8005)):  # each may come to its owner by chance
        assert curl(url(port=port)).ok, port
    assert _settled(daemon)["all"]["handed_over"] > 0
