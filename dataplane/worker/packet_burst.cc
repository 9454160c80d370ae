// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/worker/packet_burst.h"

#include <rte_prefetch.h>

#include "dataplane/packet/plain_segment.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/worker/packet_bytes.h"
#include "dataplane/worker/service_finder.h"

namespace cheshire {
namespace {

Step dropped(ParsedPacket& parsed, DropReason reason) {
  parsed.reason = reason;
  return Step::kDrop;
}

Step from_client(ParsedPacket& parsed, const uint8_t* frame, ServiceFinder& finder, const MacAddress& nic_mac,
                 FlowKey& key) {
  if (parsed.kind == PacketKind::kDrop) return Step::kDrop;
  const auto& ethernet = header_at<EthernetHeader>(frame, 0);
  const bool to_us = ethernet.destination == nic_mac;
  if (parsed.kind == PacketKind::kTcp) {
    if (!to_us) return dropped(parsed, DropReason::k_other_mac);
    const auto& ip = header_at<Ipv4Header>(frame, parsed.l3_offset);
    const auto& tcp = header_at<TcpHeader>(frame, parsed.l4_offset);
    if (const auto* found = finder.find(plain_destination(ip.destination, tcp.destination_port))) {
      key = {ip.source, tcp.source_port, found->index};
      return found->mine ? Step::kSegment : Step::kForeign;
    }
    return finder.is_vip(ip.destination) ? Step::kNoService : dropped(parsed, DropReason::k_not_ours);
  }
  if (parsed.kind == PacketKind::kArp) {
    if (!to_us && !(ethernet.destination == kBroadcastMac)) return dropped(parsed, DropReason::k_other_mac);
    return finder.is_vip(header_at<ArpHeader>(frame, parsed.l3_offset).target_ip)
               ? Step::kAnswerArp
               : dropped(parsed, DropReason::k_not_ours);
  }
  if (!to_us) return dropped(parsed, DropReason::k_other_mac);
  return finder.is_vip(header_at<Ipv4Header>(frame, parsed.l3_offset).destination)
             ? Step::kAnswerEcho
             : dropped(parsed, DropReason::k_not_ours);
}

Step from_guest(ParsedPacket& parsed, const uint8_t* frame, const SteeringService& service,
                ServiceIndex index, FlowKey& key) {
  if (parsed.kind == PacketKind::kDrop || parsed.kind == PacketKind::kIcmpEcho) {
    return dropped(parsed, DropReason::k_guest_bad_packet);
  }
  const bool own_mac = header_at<EthernetHeader>(frame, 0).source == kGuestMac;
  if (parsed.kind == PacketKind::kArp) {
    // Whoever it asks for, we are its whole network.
    if (!own_mac) return dropped(parsed, DropReason::k_guest_spoofed);
    return parsed.vlan_tci == kNoVlan ? Step::kAnswerArp : dropped(parsed, DropReason::k_guest_bad_packet);
  }
  if (parsed.vlan_tci != kNoVlan) return dropped(parsed, DropReason::k_guest_bad_packet);
  const auto& ip = header_at<Ipv4Header>(frame, parsed.l3_offset);
  const auto& tcp = header_at<TcpHeader>(frame, parsed.l4_offset);
  if (!own_mac || !(ip.source == service.guest_ip) || !(tcp.source_port == service.guest_port)) {
    return dropped(parsed, DropReason::k_guest_spoofed);
  }
  key = {ip.destination, tcp.destination_port, index};
  return Step::kSegment;
}

[[gnu::always_inline]] inline void place(PacketBurst& burst, uint16_t i, const FlowTable& flows) {
  burst.places[i] = flows.place(burst.keys[i]);
  flows.prefetch(burst.places[i]);
}

// Calls read(i, frame) for each packet of the burst, which returns its step, and finds the place of those that are
// segments; one in several pieces is none of ours.
template <typename Read>
void for_each_frame(PacketBurst& burst, const FlowTable& flows, Read&& read) {
  const uint16_t count = burst.count;
  for (uint16_t i = 0; i < count; ++i) rte_prefetch0(bytes_of(burst.packets[i]));
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* packet = burst.packets[i];
    if (packet->nb_segs != 1) [[unlikely]] {
      burst.steps[i] = dropped(burst.parsed[i], DropReason::k_oversize);
      continue;
    }
    const Step step = read(i, std::span<const uint8_t>(bytes_of(packet), packet->data_len));
    burst.steps[i] = step;
    if (is_segment(step)) [[likely]]
      place(burst, i, flows);
  }
}

// `known`: what is known of a packet's checksums.
template <typename Known>
void read_clients(PacketBurst& burst, ServiceFinder& finder, const MacAddress& nic_mac,
                  const FlowTable& flows, Known&& known) {
  const PlainHeaders plain = PlainHeaders::to(nic_mac);
  for_each_frame(burst, flows, [&](uint16_t i, std::span<const uint8_t> frame) {
    ParsedPacket& parsed = burst.parsed[i];
    const ChecksumsKnownGood good = known(burst.packets[i]);
    if (parse_plain_segment(plain, frame, good, parsed)) [[likely]] {
      const uint8_t* bytes = frame.data();
      if (const auto* found = finder.find(plain_destination(bytes))) {
        burst.keys[i] = std::bit_cast<FlowKey>(client_bits(bytes + kPlainSource, bytes + kPlainSourcePort) |
                                               found->key_bits);
        return found->plain_step;
      }
    } else {
      parse_frame(frame, good, parsed);
    }
    return from_client(parsed, frame.data(), finder, nic_mac, burst.keys[i]);
  });
}

}  // namespace

void read_from_clients(PacketBurst& burst, ServiceFinder& finder, const NicQueue& nic,
                       const FlowTable& flows) {
  if (nic.verifies_checksums()) {
    return read_clients(burst, finder, nic.mac(), flows,
                        [&](const rte_mbuf* packet) { return nic.checksums(packet); });
  }
  read_clients(burst, finder, nic.mac(), flows, [](const rte_mbuf*) { return ChecksumsKnownGood{}; });
}

void read_handed_over(PacketBurst& burst, ServiceFinder& finder, const MacAddress& nic_mac,
                      const FlowTable& flows) {
  read_clients(burst, finder, nic_mac, flows,
               [](const rte_mbuf*) { return ChecksumsKnownGood{.ipv4 = true, .l4 = true}; });
}

void read_from_guest(PacketBurst& burst, const SteeringService& service, ServiceIndex index,
                     const FlowTable& flows) {
  // The client checks the sums; a guest that sends wrong ones harms only itself.
  constexpr ChecksumsKnownGood kUnchecked{.ipv4 = true, .l4 = true};
  const PlainHeaders plain = PlainHeaders::from(kGuestMac);
  const uint64_t own = FlowKey{service.guest_ip, service.guest_port, {0}}.as_integer();
  const uint64_t key_bits = FlowKey{{}, {}, index}.as_integer();
  for_each_frame(burst, flows, [&](uint16_t i, std::span<const uint8_t> frame) {
    ParsedPacket& parsed = burst.parsed[i];
    if (parse_plain_segment(plain, frame, kUnchecked, parsed)) [[likely]] {
      const uint8_t* bytes = frame.data();
      if (client_bits(bytes + kPlainSource, bytes + kPlainSourcePort) == own) [[likely]] {
        burst.keys[i] = std::bit_cast<FlowKey>(
            client_bits(bytes + kPlainDestination, bytes + kPlainDestinationPort) | key_bits);
        return Step::kPlainSegment;
      }
    } else {
      parse_frame(frame, kUnchecked, parsed);
    }
    return from_guest(parsed, frame.data(), service, index, burst.keys[i]);
  });
}

void look_up(PacketBurst& burst, FlowTable& flows) {
  const uint16_t count = burst.count;
  for (uint16_t i = 0; i < count; ++i) {
    if (!is_segment(burst.steps[i])) continue;
    burst.candidates[i] = flows.candidate_at(burst.places[i]);
  }
}

}  // namespace cheshire
