# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""SYNs from addresses that nobody has: they boot nothing, and a real client is served meanwhile.

The flood of a story is as fast as the tap's queue takes beside a client. One that fills it loses the client's packets
too, in the kernel and before anybody of ours sees them; that one is part of bench/failfast.
"""

import threading
import time

from support import clients, config, frames, wire

FLOOD_S = 4.0
PER_SECOND = 20_000


class Flood:
    """SYNs from 10.0.0.0/8, until it is ended: so many a second, or as many as one thread can send."""

    def __init__(self, per_second=None):
        self.sent = 0
        self._per_second = per_second
        self._end = threading.Event()
        with wire.Wire() as line:
            vip_mac = wire.resolve(line)
        self._frames = []
        for number in range(4096):
            source = f"10.{number >> 8}.{number & 255}.7"
            segment = frames.tcp(source, config.VIP, 1024 + number, 80, frames.SYN, sequence=number,
                                 options=frames.option_mss(1460))
            self._frames.append(frames.ethernet(vip_mac, wire.CLIENT_MAC, frames.ETHERTYPE_IPV4,
                                                frames.ipv4(source, config.VIP, frames.TCP, segment)))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        begin = time.monotonic()
        with wire.Wire() as line:
            while not self._end.is_set() and time.monotonic() < begin + 60:  # whatever happens
                for number, frame in enumerate(self._frames):
                    try:
                        line.send(frame)
                        self.sent += 1
                    except OSError:  # the tap's queue is full
                        time.sleep(0.0005)
                    if self._per_second and number % 64 == 0:
                        time.sleep(max(begin + self.sent / self._per_second - time.monotonic(), 0))

    def close(self):
        self._end.set()
        self._thread.join()


def story_a_flood_on_a_service_at_zero_boots_nothing_and_curl_is_served(world):
    service = config.service(idle_after="2s", flood={"challenge": "wake", "syn_rate": 0, "remember": "1m"})
    daemon = world.start(services={"hello": service})
    flood = world.until_the_end(Flood(PER_SECOND))
    time.sleep(FLOOD_S / 2)
    before = daemon.telemetry.services()["hello"]
    assert before["boots"] == 0 and before["held_syns"] == 0, before
    answer = clients.curl(max_time_s=20)
    assert answer.ok, answer
    time.sleep(FLOOD_S / 2)
    flood.close()
    service = daemon.telemetry.services()["hello"]
    admission = daemon.telemetry.admission()
    print(f"{flood.sent / FLOOD_S:.0f} SYNs a second sent, {admission['challenges_sent']} challenged, "
          f"{admission['challenges_passed']} passed, curl served in {answer.first_byte_ms:.0f} ms")
    assert service["boots"] == 1, "curl's"
    assert admission["challenges_sent"] > 1000 and admission["challenges_passed"] >= 1, admission
    assert service["flows_opened"] <= 2, "spoofed SYNs took flows"


def story_once_awake_a_flood_below_the_rate_wakes_no_other_instance(world):
    service = config.service(soft=8, idle_after="5s", flood={"challenge": "wake"})
    daemon = world.start(services={"hello": service})
    assert clients.curl(max_time_s=20).ok
    flood = world.until_the_end(Flood(PER_SECOND))
    time.sleep(1.5)
    flood.close()
    service = daemon.telemetry.services()["hello"]
    assert service["boots"] == 1 and service["flows_opened"] <= 8, service


def story_without_a_flood_a_challenge_costs_a_client_little(world):
    service = config.service(idle_after="5s", flood={"challenge": "wake"})
    daemon = world.start(services={"hello": service})
    assert clients.curl().ok
    assert daemon.telemetry.admission()["challenges_passed"] == 1
    again = clients.curl()
    assert again.ok
    assert daemon.telemetry.admission()["challenges_sent"] <= 2, "a proven address is believed"


def story_an_open_connection_goes_on_during_a_flood(world):
    rate = 100
    service = config.service(instances=(1, 1), idle_after="5s", flood={"challenge": "flood", "syn_rate": rate})
    daemon = world.start(services={"hello": service})
    daemon.wait_for_instances("hello", within_s=10, active=1)
    with clients.KeepAlive() as connection:
        _, headers, _ = connection.get()
        begin = time.monotonic()
        flood = world.until_the_end(Flood(PER_SECOND))
        time.sleep(1)
        for _ in range(20):
            status, now, _ = connection.get()
            assert status == 200 and now["x-instance"] == headers["x-instance"]
        flood.close()
    flows = daemon.telemetry.services()["hello"]["flows_opened"]
    elapsed_s = time.monotonic() - begin
    # The bucket holds a tenth of a second's worth, and the connection is one.
    assert flows <= rate * (elapsed_s + 0.1) + 1, f"{flows} flows in {elapsed_s:.1f} s for a rate of {rate} a second"
