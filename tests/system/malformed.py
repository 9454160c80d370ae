# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Malformed frames of every kind: each is dropped and counted, none wakes a VM or does harm, and every
packet is accounted for. Frames shorter than an Ethernet header cannot be sent through a tap: the unit
tests of the parser have them."""

import struct

from support import config, frames
from support.clients import curl
from support.frames import ACK, FIN, PSH, RST, SYN, URG
from support.telemetry import unaccounted
from support.wait import wait_until
from support.wire import CLIENT_IP, CLIENT_MAC, Connection, Wire, resolve

GROUP_MAC = "01:00:5e:00:00:01"


class Bench:
    """Builds frames towards one daemon, and watches what its counters make of them."""

    def __init__(self, world):
        # Half-open flows, which the odd frames leave, shall not outlive the story.
        self.daemon = world.start(worker={"flows_max": 4096, "idle_sleep": "50us",
                                          "handshake_timeout": "1s"})
        self.wire = world.until_the_end(Wire())
        self.mac = resolve(self.wire)
        self.source_port = 41000

    def worker(self):
        (worker,) = self.daemon.telemetry.workers().values()
        return worker

    def ip(self, payload, source_mac=CLIENT_MAC, vlan=None, source=CLIENT_IP, destination=config.VIP,
           protocol=frames.TCP, **header):
        packet = frames.ipv4(source, destination, protocol, payload, **header)
        return frames.ethernet(self.mac, source_mac, frames.ETHERTYPE_IPV4, packet, vlan)

    def segment(self, flags=SYN, source=CLIENT_IP, port=80, **fields):
        """Each of a flow of its own."""
        self.source_port += 1
        return frames.tcp(source, config.VIP, self.source_port, port, flags, sequence=1, **fields)

    def syn(self, vlan=None):
        return self.ip(self.segment(options=frames.option_mss(1460)), vlan=vlan)

    def arp_question(self, **fields):
        return frames.ethernet(frames.BROADCAST, CLIENT_MAC, frames.ETHERTYPE_ARP, frames.arp(
            fields.pop("operation", 1), CLIENT_MAC, CLIENT_IP, "00:00:00:00:00:00", config.VIP, **fields))

    def ping(self, **fields):
        return self.ip(frames.icmp_echo(7, 1, b"curiouser", **fields), protocol=frames.ICMP)

    def must_be_dropped(self, table):
        """Sends each frame and compares: one packet more came in, one drop more, nothing went out."""
        wrong = []
        # What came before has been counted as well: an answer is on the wire a little before that.
        before = wait_until("the worker is quiet", self._quiet, within_s=2)
        for name, frame in table:
            self.wire.send(frame)
            came = before["nic_rx_packets"] + 1
            after = wait_until(f"'{name}' is seen", lambda: self._arrived(came), within_s=2)
            if after["drops"] != before["drops"] + 1 or after["nic_tx_packets"] != before["nic_tx_packets"]:
                wrong.append(f"{name}: {after['drops'] - before['drops']} drops, "
                             f"{after['nic_tx_packets'] - before['nic_tx_packets']} packets sent")
            before = after
        assert not wrong, "\n".join(["not dropped and counted:", *wrong])
        self.nothing_happened()

    def _quiet(self):
        worker = self.worker()
        return worker if unaccounted(worker) == 0 else None

    def _arrived(self, came):
        worker = self.worker()
        assert worker["nic_rx_packets"] <= came, "packets that the story did not send"
        # Received, and done with: it cannot be seen in the middle of a burst for longer than that lasts.
        return worker if worker["nic_rx_packets"] == came and unaccounted(worker) == 0 else None

    def nothing_happened(self):
        service = self.daemon.telemetry.services()["hello"]
        for key in ("cold_starts", "active", "booting", "held_syns", "flows_opened"):
            assert service[key] == 0, service
        worker = self.worker()
        assert worker["drops"] == sum(self.daemon.telemetry.drops().values()), "drops without a reason"


def truncated(name, whole, shortest=14):
    return [(f"{name}, {size} of {len(whole)} bytes", whole[:size]) for size in range(shortest, len(whole))]


def story_truncated_at_each_byte(world):
    bench = Bench(world)
    bench.must_be_dropped(truncated("SYN", bench.syn()))
    bench.must_be_dropped(truncated("tagged SYN", bench.syn(vlan=7)))
    bench.must_be_dropped(truncated("ARP", bench.arp_question()))
    bench.must_be_dropped(truncated("ping", bench.ping()))
    still_serves(bench)


def story_bad_ethernet_and_vlan(world):
    bench = Bench(world)
    syn = bench.syn()
    bench.must_be_dropped([
        ("unknown ether type", frames.ethernet(bench.mac, CLIENT_MAC, 0x88B5, bytes(46))),
        ("IPv6", frames.ethernet(bench.mac, CLIENT_MAC, 0x86DD, b"\x60" + bytes(45))),
        ("802.3 length", frames.ethernet(bench.mac, CLIENT_MAC, 46, bytes(46))),
        ("two tags", bench.syn(vlan=[(frames.ETHERTYPE_VLAN, 7), (frames.ETHERTYPE_VLAN, 8)])),
        ("service tag", bench.syn(vlan=[(frames.ETHERTYPE_QINQ, 7), (frames.ETHERTYPE_VLAN, 8)])),
        ("a tag and nothing", syn[:12] + struct.pack("!HH", frames.ETHERTYPE_VLAN, 7)),
        ("all zeros", bytes(60)),
        ("all ones", b"\xff" * 60),
        ("largest frame of nonsense", bytes(range(256)) * 5 + bytes(200)),
    ])
    still_serves(bench)


def story_bad_ip(world):
    bench = Bench(world)
    segment = bench.segment()
    right = 20 + len(segment)
    table = [(f"version {version}", bench.ip(segment, version=version)) for version in (0, 5, 6, 15)]
    table += [(f"header length {ihl} words", bench.ip(segment, ihl=ihl)) for ihl in (0, 1, 4, 11, 15)]
    table += [(f"total length {length}", bench.ip(segment, total_length=length))
              for length in (0, 1, 19, 20, 39, right - 1, right + 1, 1500, 65535)]
    table += [
        ("header checksum off by one", bench.ip(segment, header_checksum=lambda right: right ^ 1)),
        ("header checksum zero", bench.ip(segment, header_checksum=lambda right: 0)),
        ("first fragment", bench.ip(segment, fragment=frames.MORE_FRAGMENTS)),
        ("middle fragment", bench.ip(segment, fragment=frames.MORE_FRAGMENTS | 10)),
        ("last fragment", bench.ip(segment, fragment=10)),
        ("last fragment at the far end", bench.ip(segment, fragment=0x1FFF)),
        ("UDP", bench.ip(bytes(8), protocol=frames.UDP)),
        ("unknown protocol", bench.ip(segment, protocol=253)),
        ("somebody else's address", bench.ip(segment, destination="192.0.2.99")),
    ]
    bench.must_be_dropped(table)
    still_serves(bench)


def story_bad_tcp(world):
    bench = Bench(world)
    table = [(f"data offset {words} words", bench.ip(bench.segment(data_offset=words)))
             for words in (0, 1, 4, 6, 15)]
    table += [
        ("wrong checksum", bench.ip(bench.segment(wrong_checksum=True))),
        ("wrong checksum under a tag", bench.ip(bench.segment(wrong_checksum=True), vlan=7)),
        ("wrong checksum with data",
         bench.ip(bench.segment(PSH | ACK, payload=b"who are you", wrong_checksum=True))),
        ("header cut by the IP length", bench.ip(bench.segment()[:12])),
        ("a reset of no flow", bench.ip(bench.segment(RST))),
    ]
    bench.must_be_dropped(table)
    still_serves(bench)


def story_bad_arp_and_icmp(world):
    bench = Bench(world)
    bench.must_be_dropped([
        ("ARP for another hardware", bench.arp_question(hardware_type=6)),
        ("ARP for another protocol", bench.arp_question(protocol_type=0x86DD)),
        ("ARP with long hardware addresses", bench.arp_question(hardware_size=8)),
        ("ARP with long protocol addresses", bench.arp_question(protocol_size=16)),
        ("ARP reply that nobody asked for", bench.arp_question(operation=2)),
        ("ARP operation 9", bench.arp_question(operation=9)),
        ("ping with a wrong checksum", bench.ping(wrong_checksum=True)),
        ("echo reply", bench.ping(kind=0)),
        ("redirect", bench.ping(kind=5)),
        ("timestamp request", bench.ping(kind=13)),
        ("fragment of a ping", bench.ip(frames.icmp_echo(7, 1), protocol=frames.ICMP,
                                        fragment=frames.MORE_FRAGMENTS)),
    ])
    still_serves(bench)


def story_odd_but_allowed(world):
    """Frames that may be answered or dropped, as the daemon sees fit. None is lost from the books."""
    bench = Bench(world)
    mss = frames.option_mss(1460)
    padded = bench.ip(bench.segment(options=mss))
    table = [bench.ip(bench.segment(flags)) for flags in (
        0, FIN, ACK, SYN | FIN, SYN | RST, SYN | FIN | RST | PSH | ACK | URG, FIN | PSH | URG)]
    table += [bench.ip(bench.segment(options=options)) for options in (
        b"\x01\x01\x01\x00",          # padding only
        b"\x02\x00\x05\xb4",          # an option of length zero
        b"\x02\x01\x05\xb4",          # of length one
        b"\x02\x08\x05\xb4",          # longer than the header
        b"\x01\x01\x01\x02",          # without its length byte
        b"\xfe\x04\xab\xcd",          # unknown
        mss * 10,                     # as many as fit
    )]
    table += [bench.ip(bench.segment(options=mss), options=options) for options in (
        b"\x01\x01\x01\x00",                  # padding only
        b"\x07\x07\x04\x00\x00\x00\x00\x00",  # record route
        b"\x83\x07\x04\xc0\x00\x02\x01\x00",  # source route
        b"\x07\x00\x04\x00",                  # of length zero
        b"\x01" * 40,                         # as many as fit
    )]
    table += [
        padded + bytes(60 - len(padded)),                                    # Ethernet's padding
        bench.ip(bench.segment(port=81)),                                    # no service there
        bench.ip(bench.segment(port=0)),
        bench.ip(bench.segment(), ttl=0),
        bench.ip(bench.segment(), ttl=1),
        bench.ip(bench.segment(urgent=99)),
        bench.ip(bench.segment(window=0)),
        bench.ip(bench.segment(payload=b"data on a SYN")),
        bench.ip(bench.segment(), source_mac=GROUP_MAC),
        *(bench.ip(bench.segment(source=source), source=source) for source in (
            config.VIP, "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255")),
    ]
    before = bench.worker()
    for frame in table:
        bench.wire.send(frame)
    wait_until("all have come in",
               lambda: bench.worker()["nic_rx_packets"] >= before["nic_rx_packets"] + len(table), within_s=5)
    still_serves(bench)


def story_a_reset_within_a_flow_ends_it(world):
    """The one reset that counts is the client's own, and it frees the flow."""
    bench = Bench(world)
    connection = Connection(bench.wire, bench.mac, source_port=42000)
    connection.open()
    connection.send(RST | ACK)
    bench.daemon.wait_for_zero("hello")
    service = bench.daemon.telemetry.services()["hello"]
    assert (service["flows_opened"], service["flows_closed"]) == (1, 1), service


def still_serves(bench):
    """A client is served, and once all is quiet every packet is accounted for."""
    assert curl().ok
    bench.daemon.wait_for_zero("hello")
    wait_until("every packet is accounted for",
               lambda: unaccounted(bench.worker()) == 0 and bench.worker()["held"] == 0, within_s=5)
    assert bench.worker()["drops"] == sum(bench.daemon.telemetry.drops().values())
