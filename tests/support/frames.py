# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The Cheshire Authors

"""Frames as bytes. The builders make well-formed ones; every length and checksum can be given to make
an ill-formed one. parse() reads what comes back."""

import dataclasses
import socket
import struct

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_VLAN, ETHERTYPE_QINQ = 0x0800, 0x0806, 0x8100, 0x88A8
ICMP, TCP, UDP = 1, 6, 17
BROADCAST = "ff:ff:ff:ff:ff:ff"

MORE_FRAGMENTS, DONT_FRAGMENT = 0x2000, 0x4000


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    return data.hex(":")


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(destination, source, ether_type, payload, vlan=None):
    """vlan: None, one tag's TCI, or a list of (ether type, TCI) pairs, outermost first."""
    tags = [] if vlan is None else [(ETHERTYPE_VLAN, vlan)] if isinstance(vlan, int) else vlan
    head = mac_bytes(destination) + mac_bytes(source)
    for tag_type, tci in tags:
        head += struct.pack("!HH", tag_type, tci)
    return head + struct.pack("!H", ether_type) + payload


def arp(operation, sender_mac, sender_ip, target_mac, target_ip, *, hardware_type=1,
        protocol_type=ETHERTYPE_IPV4, hardware_size=6, protocol_size=4):
    return struct.pack("!HHBBH6s4s6s4s", hardware_type, protocol_type, hardware_size, protocol_size,
                       operation, mac_bytes(sender_mac), socket.inet_aton(sender_ip),
                       mac_bytes(target_mac), socket.inet_aton(target_ip))


def ipv4(source, destination, protocol, payload, *, version=4, ihl=None, total_length=None,
         identification=1, fragment=DONT_FRAGMENT, ttl=64, options=b"", header_checksum=None):
    """header_checksum: None for the right one."""
    ihl = 5 + len(options) // 4 if ihl is None else ihl
    total_length = 20 + len(options) + len(payload) if total_length is None else total_length

    def header(value):
        return struct.pack("!BBHHHBBH4s4s", (version << 4) | ihl, 0, total_length, identification, fragment,
                           ttl, protocol, value, socket.inet_aton(source),
                           socket.inet_aton(destination)) + options
    right = checksum(header(0))
    return header(right if header_checksum is None else header_checksum(right)) + payload


def tcp(source, destination, source_port, destination_port, flags, *, sequence=0, acknowledgment=0,
        window=65535, options=b"", payload=b"", data_offset=None, wrong_checksum=False, urgent=0):
    """A segment with the checksum for these IP addresses; options must be a multiple of four long."""
    data_offset = 5 + len(options) // 4 if data_offset is None else data_offset

    def segment(value):
        return struct.pack("!HHIIBBHHH", source_port, destination_port, sequence & 0xFFFFFFFF,
                           acknowledgment & 0xFFFFFFFF, data_offset << 4, flags, window, value,
                           urgent) + options + payload
    right = l4_checksum(source, destination, TCP, segment(0))
    return segment(right ^ 0x5A5A if wrong_checksum else right)


def l4_checksum(source, destination, protocol, segment):
    pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + \
        struct.pack("!BBH", 0, protocol, len(segment))
    return checksum(pseudo + segment)


def icmp_echo(identifier, sequence, payload=b"", *, kind=8, code=0, wrong_checksum=False):
    def message(value):
        return struct.pack("!BBHHH", kind, code, value, identifier, sequence) + payload
    right = checksum(message(0))
    return message(right ^ 0x5A5A if wrong_checksum else right)


def option_mss(mss):
    return struct.pack("!BBH", 2, 4, mss)


@dataclasses.dataclass
class Frame:
    """What parse() saw. Fields of layers that are not there stay None."""

    destination: str
    source: str
    ether_type: int
    vlan: int | None = None
    arp_operation: int | None = None
    sender_mac: str | None = None
    source_ip: str | None = None
    destination_ip: str | None = None
    protocol: int | None = None
    ip_checksum_right: bool | None = None
    l4_checksum_right: bool | None = None
    icmp_type: int | None = None
    icmp_rest: bytes | None = None
    source_port: int | None = None
    destination_port: int | None = None
    sequence: int | None = None
    acknowledgment: int | None = None
    flags: int | None = None
    payload: bytes = b""


def parse(data):
    """None for what is no Ethernet frame; raises for a broken one of ours, which is a finding."""
    if len(data) < 14:
        return None
    frame = Frame(mac_text(data[:6]), mac_text(data[6:12]), *struct.unpack("!H", data[12:14]))
    at = 14
    if frame.ether_type == ETHERTYPE_VLAN:
        frame.vlan, frame.ether_type = struct.unpack("!HH", data[14:18])
        at = 18
    if frame.ether_type == ETHERTYPE_ARP:
        _parse_arp(frame, data[at:])
    elif frame.ether_type == ETHERTYPE_IPV4:
        _parse_ipv4(frame, data[at:])
    return frame


def _parse_arp(frame, data):
    _, _, _, _, frame.arp_operation, mac, ip, _, target = struct.unpack("!HHBBH6s4s6s4s", data[:28])
    frame.sender_mac = mac_text(mac)
    frame.source_ip, frame.destination_ip = socket.inet_ntoa(ip), socket.inet_ntoa(target)


def _parse_ipv4(frame, data):
    header_bytes = (data[0] & 0x0F) * 4
    (total_length,) = struct.unpack("!H", data[2:4])
    frame.protocol = data[9]
    frame.source_ip, frame.destination_ip = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    frame.ip_checksum_right = checksum(data[:header_bytes]) == 0
    body = data[header_bytes:total_length]
    if frame.protocol == TCP:
        frame.l4_checksum_right = l4_checksum(frame.source_ip, frame.destination_ip, TCP, body) == 0
        frame.source_port, frame.destination_port, frame.sequence, frame.acknowledgment = \
            struct.unpack("!HHII", body[:12])
        frame.flags = body[13]
        frame.payload = body[(body[12] >> 4) * 4:]
    elif frame.protocol == ICMP:
        frame.l4_checksum_right = checksum(body) == 0
        frame.icmp_type, frame.icmp_rest = body[0], body[4:]
