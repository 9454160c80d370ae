// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet_burst.h"

#include <rte_prefetch.h>

#include "dataplane/nic_port.h"
#include "dataplane/packet_bytes.h"

namespace cheshire {
namespace {

Step dropped(ParsedPacket& parsed, DropReason reason) {
  parsed.reason = reason;
  return Step::kDrop;
}

// Most packets of a burst are for the same service: the last answer is kept.
class ServiceFinder {
 public:
  explicit ServiceFinder(const SteeringTable& table) : table_(table) {}
  std::optional<ServiceIndex> find(be32 vip, be16 port) {
    if (!(vip == vip_ && port == port_)) {
      vip_ = vip;
      port_ = port;
      service_ = table_.find(vip, port);
    }
    return service_;
  }
  [[nodiscard]] bool is_vip(be32 address) const { return table_.is_vip(address); }

 private:
  const SteeringTable& table_;
  be32 vip_;
  be16 port_;
  std::optional<ServiceIndex> service_;  // nobody listens at 0.0.0.0:0
};

Step from_client(ParsedPacket& parsed, const uint8_t* frame, ServiceFinder& table, const MacAddress& nic_mac,
                 FlowKey& key) {
  const auto& ethernet = header_at<EthernetHeader>(frame, 0);
  const bool to_us = ethernet.destination == nic_mac;
  if (parsed.kind == PacketKind::kTcp) {
    if (!to_us) return dropped(parsed, DropReason::k_other_mac);
    const auto& ip = header_at<Ipv4Header>(frame, parsed.l3_offset);
    const auto& tcp = header_at<TcpHeader>(frame, parsed.l4_offset);
    if (const auto service = table.find(ip.destination, tcp.destination_port)) {
      key = {ip.source, tcp.source_port, *service};
      return Step::kSegment;
    }
    return table.is_vip(ip.destination) ? Step::kNoService : dropped(parsed, DropReason::k_not_ours);
  }
  if (parsed.kind == PacketKind::kArp) {
    if (!to_us && !(ethernet.destination == kBroadcastMac)) return dropped(parsed, DropReason::k_other_mac);
    return table.is_vip(header_at<ArpHeader>(frame, parsed.l3_offset).target_ip)
               ? Step::kAnswerArp
               : dropped(parsed, DropReason::k_not_ours);
  }
  if (!to_us) return dropped(parsed, DropReason::k_other_mac);
  return table.is_vip(header_at<Ipv4Header>(frame, parsed.l3_offset).destination)
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

// `known`: what is known of a packet's checksums.
template <typename Known>
void parse_all(PacketBurst& burst, Known&& known) {
  for (uint16_t i = 0; i < burst.count; ++i) rte_prefetch0(bytes_of(burst.packets[i]));
  for (uint16_t i = 0; i < burst.count; ++i) {
    rte_mbuf* packet = burst.packets[i];
    if (packet->nb_segs != 1) {
      burst.parsed[i].kind = PacketKind::kDrop;
      burst.parsed[i].reason = DropReason::k_oversize;
      continue;
    }
    const std::span<const uint8_t> frame(bytes_of(packet), packet->data_len);
    if (!parse_plain_tcp(frame, known(packet), burst.parsed[i])) {
      parse_frame(frame, known(packet), burst.parsed[i]);
    }
  }
}

}  // namespace

void parse_from_clients(PacketBurst& burst, const NicPort& nic) {
  if (!nic.verifies_checksums())
    return parse_all(burst, [](const rte_mbuf*) { return ChecksumsKnownGood{}; });
  parse_all(burst, [&](const rte_mbuf* packet) { return nic.checksums(packet); });
}

void parse_from_guest(PacketBurst& burst) {
  // The client checks the sums; a guest that sends wrong ones harms only itself.
  parse_all(burst, [](const rte_mbuf*) { return ChecksumsKnownGood{.ipv4 = true, .l4 = true}; });
}

void classify_from_clients(PacketBurst& burst, const SteeringTable* table, const MacAddress& nic_mac) {
  if (table == nullptr) {
    for (uint16_t i = 0; i < burst.count; ++i) {
      burst.steps[i] = Step::kDrop;
      if (burst.parsed[i].kind != PacketKind::kDrop) burst.parsed[i].reason = DropReason::k_not_ours;
    }
    return;
  }
  ServiceFinder finder(*table);
  for (uint16_t i = 0; i < burst.count; ++i) {
    ParsedPacket& parsed = burst.parsed[i];
    if (parsed.kind == PacketKind::kDrop) {
      burst.steps[i] = Step::kDrop;
    } else {
      burst.steps[i] = from_client(parsed, bytes_of(burst.packets[i]), finder, nic_mac, burst.keys[i]);
    }
  }
}

void classify_from_guest(PacketBurst& burst, const SteeringService& service, ServiceIndex index) {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.packets[i]->nb_segs != 1) {
      burst.steps[i] = Step::kDrop;  // k_oversize
      continue;
    }
    burst.steps[i] = from_guest(burst.parsed[i], bytes_of(burst.packets[i]), service, index, burst.keys[i]);
  }
}

void look_up(PacketBurst& burst, FlowTable& flows) {
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.steps[i] != Step::kSegment) continue;
    burst.places[i] = flows.place(burst.keys[i]);
    flows.prefetch(burst.places[i]);
  }
  for (uint16_t i = 0; i < burst.count; ++i) {
    if (burst.steps[i] != Step::kSegment) continue;
    burst.candidates[i] = flows.candidate_at(burst.places[i]);
    if (burst.candidates[i] == nullptr) flows.prefetch_free(burst.places[i]);
  }
}

}  // namespace cheshire
