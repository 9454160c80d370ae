# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Raw frames on the tap, and a client that speaks TCP by hand: with a MAC and an IP address of its own,
so that the kernel's TCP keeps out of it."""

import select
import socket
import struct
import time

from . import config, frames
from .frames import ACK, FIN, PSH, RST, SYN
from .wait import TookTooLong

_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_AUXDATA, _TP_STATUS_VLAN_VALID = 263, 8, 1 << 4

CLIENT_MAC = "02:00:00:00:00:77"
CLIENT_IP = "192.0.2.77"


class Wire:
    """All frames of the tap, both ways; received are only those that the daemon sent."""

    def __init__(self, interface=config.TAP):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)

    def send(self, data):
        self._socket.send(data)

    def receive(self, wanted, within_s):
        """The first frame from the daemon that is wanted, None where none comes in time."""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left_s)[0]:
                break
            frame = self._read()
            if frame is not None and wanted(frame):
                return frame
        return None

    def _read(self):
        data, ancillary, _, address = self._socket.recvmsg(65536, socket.CMSG_SPACE(20))
        if address[2] == socket.PACKET_OUTGOING:
            return None  # what the kernel and we ourselves sent
        return frames.parse(_with_vlan_tag(data, ancillary))

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _with_vlan_tag(data, ancillary):
    """The kernel takes an 802.1Q tag out of a received frame and hands it over beside it."""
    for level, kind, value in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA:
            status, _, _, _, _, tci, ether_type = struct.unpack("=IIIHHHH", value[:20])
            if status & _TP_STATUS_VLAN_VALID:
                return data[:12] + struct.pack("!HH", ether_type or frames.ETHERTYPE_VLAN, tci) + data[12:]
    return data


def resolve(wire, vlan=None, ip=config.VIP, within_s=2.0):
    """The MAC address that answers ARP for an address, None where nobody does."""
    question = frames.arp(1, CLIENT_MAC, CLIENT_IP, "00:00:00:00:00:00", ip)
    wire.send(frames.ethernet(frames.BROADCAST, CLIENT_MAC, frames.ETHERTYPE_ARP, question, vlan))
    answer = wire.receive(lambda frame: frame.arp_operation == 2 and frame.source_ip == ip
                          and frame.destination == CLIENT_MAC and frame.vlan == vlan, within_s)
    return answer.sender_mac if answer else None


class Connection:
    """One TCP connection by hand. In order and without retransmission of data, as the wire is a tap."""

    def __init__(self, wire, vip_mac, *, port=80, source_port=40000, vlan=None, sequence=1000):
        self._wire = wire
        self._vip_mac = vip_mac
        self._port = port
        self._source_port = source_port
        self._vlan = vlan
        self._sequence = sequence  # of our next byte
        self._acknowledged = 0     # their next byte that we wait for

    def frame(self, flags, payload=b"", **changes):
        """A frame of this connection as it would be sent now."""
        options = frames.option_mss(1460) if flags & SYN else b""
        segment = frames.tcp(CLIENT_IP, config.VIP, self._source_port, self._port, flags,
                             sequence=self._sequence, payload=payload,
                             **{"options": options, "acknowledgment": self._acknowledged, **changes})
        packet = frames.ipv4(CLIENT_IP, config.VIP, frames.TCP, segment)
        return frames.ethernet(self._vip_mac, CLIENT_MAC, frames.ETHERTYPE_IPV4, packet, self._vlan)

    def send(self, flags, payload=b"", **changes):
        self._wire.send(self.frame(flags, payload, **changes))
        self._sequence += len(payload) + bool(flags & SYN) + bool(flags & FIN)

    def receive(self, within_s, wanted=lambda frame: True):
        """The next frame of this connection, with its checksums looked at."""
        frame = self._wire.receive(
            lambda frame: frame.protocol == frames.TCP and frame.destination_port == self._source_port
            and frame.source_port == self._port and frame.vlan == self._vlan and wanted(frame), within_s)
        if frame is not None:
            assert frame.ip_checksum_right and frame.l4_checksum_right, f"bad checksum in {frame}"
            assert (frame.destination, frame.source) == (CLIENT_MAC, self._vip_mac), f"MACs of {frame}"
        return frame

    def open(self, within_s=5.0):
        """The three-way handshake. Retransmits the SYN each second, as a client does."""
        first = self._sequence
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._sequence = first
            self.send(SYN)
            answer = self.receive(1.0)
            if answer is None:
                continue
            if answer.flags & RST:
                raise ConnectionRefusedError(f"reset instead of a SYN-ACK: {answer}")
            assert answer.flags == SYN | ACK and answer.acknowledgment == self._sequence, answer
            self._acknowledged = answer.sequence + 1
            self.send(ACK)
            return
        raise TookTooLong(f"no SYN-ACK within {within_s} s")

    def get(self, path="/", within_s=5.0):
        """Sends a request and returns all that the server sends until it closes."""
        self.send(PSH | ACK, f"GET {path} HTTP/1.1\r\nHost: vip\r\nConnection: close\r\n\r\n".encode())
        received = b""
        deadline = time.monotonic() + within_s
        while (left_s := deadline - time.monotonic()) > 0:
            frame = self.receive(left_s)
            if frame is None or frame.flags & RST:
                break
            if frame.sequence == self._acknowledged:
                received += frame.payload
                self._acknowledged += len(frame.payload)
                if frame.flags & FIN:
                    self._acknowledged += 1
                    self.send(FIN | ACK)
                    return received
            if frame.payload:
                self.send(ACK)
        raise TookTooLong(f"no complete answer within {within_s} s, only {received!r}")
