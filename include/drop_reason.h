// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Why a packet was not forwarded. Every packet that enters a worker leaves as forwarded, answered, held or
// dropped for exactly one of these reasons; `/cheshire/drops` shows the counts.
//
// A new reason is one line here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cheshire {

// name, what it means
#define CHESHIRE_DROP_REASONS(X)                                                \
  X(truncated_ethernet, "shorter than an Ethernet header")                      \
  X(stacked_vlan, "more than one VLAN tag")                                     \
  X(reserved_vlan, "tagged with VLAN 4095, which no frame may carry")           \
  X(not_ipv4, "neither IPv4 nor ARP")                                           \
  X(bad_arp, "ARP that is not a whole request for Ethernet and IPv4")           \
  X(other_mac, "addressed to another station")                                  \
  X(oversize, "spans several packet buffers")                                   \
  X(truncated_ipv4, "shorter than an IPv4 header")                              \
  X(bad_ipv4_header, "version is not 4 or header length is impossible")         \
  X(bad_ipv4_length, "total length disagrees with the frame")                   \
  X(bad_ipv4_checksum, "IPv4 header checksum is wrong")                         \
  X(ipv4_options, "IPv4 options are not supported")                             \
  X(fragment, "IPv4 fragments are not supported")                               \
  X(bad_source, "source address that no host can have")                         \
  X(not_tcp, "neither TCP nor ICMP")                                            \
  X(truncated_icmp, "shorter than an ICMP header")                              \
  X(bad_icmp_checksum, "ICMP checksum is wrong")                                \
  X(icmp_unhandled, "ICMP other than an echo request")                          \
  X(truncated_tcp, "shorter than a TCP header")                                 \
  X(bad_tcp_header, "TCP data offset is impossible")                            \
  X(bad_tcp_checksum, "TCP checksum is wrong")                                  \
  X(bad_tcp_flags, "TCP flags that no stack sends")                             \
  X(not_ours, "for an address that is not a VIP")                               \
  X(no_flow_reset, "a reset for a flow that is not known")                      \
  X(flow_table_full, "no room for another flow")                                \
  X(client_gave_up, "a held SYN whose client reset or replaced it")             \
  X(hold_duplicate, "retransmission of a SYN that is held")                     \
  X(guest_ring_full, "the instance does not take its packets off the ring")     \
  X(guest_gone, "the instance went away while the packet was on its way")       \
  X(nic_tx_full, "the NIC takes no more packets")                               \
  X(guest_bad_packet, "from a guest: malformed, or not IPv4 over TCP")          \
  X(guest_spoofed, "from a guest: not from its own MAC, address and port")      \
  X(guest_no_flow, "from a guest: for a flow that it does not have")            \
  X(guest_early_reset, "from a guest: reset before its application listens")    \
  X(overload, "a SYN that no instance can take, of a service that drops those") \
  X(source_rate, "a SYN to be refused, from an address refused too often")      \
  X(refusal_done, "a segment of a stateless refusal that needs no answer")      \
  X(challenge_passed, "a reset that proves the address of a challenged client") \
  X(hand_over_full, "the worker that owns its service is too far behind")       \
  X(hand_over_astray, "its service changed its worker while it was on its way") \
  X(shutdown, "held when the daemon ended")

enum class DropReason : uint8_t {
#define CHESHIRE_DROP_REASON_ENUMERATOR(name, text) k_##name,
  CHESHIRE_DROP_REASONS(CHESHIRE_DROP_REASON_ENUMERATOR)
#undef CHESHIRE_DROP_REASON_ENUMERATOR
};

inline constexpr std::array kDropReasonNames = {
#define CHESHIRE_DROP_REASON_NAME(name, text) std::string_view{#name},
    CHESHIRE_DROP_REASONS(CHESHIRE_DROP_REASON_NAME)
#undef CHESHIRE_DROP_REASON_NAME
};
inline constexpr size_t kDropReasons = kDropReasonNames.size();

constexpr std::string_view to_string(DropReason reason) {
  return kDropReasonNames[static_cast<size_t>(reason)];
}

}  // namespace cheshire
