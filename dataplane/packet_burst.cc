// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/packet_burst.h"

#include <rte_prefetch.h>

#include "dataplane/nic_port.h"
#include "dataplane/packet_bytes.h"
#include "dataplane/plain_segment.h"

namespace cheshire {
namespace {

Step dropped(ParsedPacket& parsed, DropReason reason) {
  parsed.reason = reason;
  return Step::kDrop;
}

// Most packets of a burst are for the same service: the last answer is kept.
class ServiceFinder {
 public:
  // `table`: nullptr before the first one came; then everything is for nobody.
  explicit ServiceFinder(const SteeringTable* table) : table_(table) {}
  [[nodiscard]] std::optional<ServiceIndex> find(be32 vip, be16 port) {
    const uint64_t wanted = uint64_t{port.raw()} << 32U | vip.raw();
    if (wanted != wanted_) [[unlikely]]
      ask(vip, port, wanted);
    return service_;
  }
  [[nodiscard]] bool is_vip(be32 address) const { return table_ != nullptr && table_->is_vip(address); }

 private:
  [[gnu::noinline]] void ask(be32 vip, be16 port, uint64_t wanted) {
    wanted_ = wanted;
    service_ = table_ == nullptr ? std::nullopt : table_->find(vip, port);
  }
  const SteeringTable* table_;
  uint64_t wanted_ = 0;
  std::optional<ServiceIndex> service_;  // nobody listens at 0.0.0.0:0
};

Step from_client(ParsedPacket& parsed, const uint8_t* frame, ServiceFinder& table, const MacAddress& nic_mac,
                 FlowKey& key) {
  if (parsed.kind == PacketKind::kDrop) return Step::kDrop;
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

// Calls read(i, frame) for each packet of the burst; one in several pieces is none of ours.
template <typename Read>
void for_each_frame(PacketBurst& burst, Read&& read) {
  for (uint16_t i = 0; i < burst.count; ++i) rte_prefetch0(bytes_of(burst.packets[i]));
  for (uint16_t i = 0; i < burst.count; ++i) {
    const rte_mbuf* packet = burst.packets[i];
    if (packet->nb_segs != 1) {
      burst.steps[i] = dropped(burst.parsed[i], DropReason::k_oversize);
      continue;
    }
    read(i, std::span<const uint8_t>(bytes_of(burst.packets[i]), packet->data_len));
  }
}

// `known`: what is known of a packet's checksums.
template <typename Known>
void read_clients(PacketBurst& burst, const SteeringTable* table, const MacAddress& nic_mac, Known&& known) {
  const PlainHeaders plain = PlainHeaders::to(nic_mac);
  ServiceFinder finder(table);
  for_each_frame(burst, [&](uint16_t i, std::span<const uint8_t> frame) {
    ParsedPacket& parsed = burst.parsed[i];
    const ChecksumsKnownGood good = known(burst.packets[i]);
    if (parse_plain_segment(plain, frame, good, parsed)) [[likely]] {
      const auto& ip = header_at<Ipv4Header>(frame.data(), kPlainL3);
      const auto& tcp = header_at<TcpHeader>(frame.data(), kPlainL4);
      if (const auto service = finder.find(ip.destination, tcp.destination_port)) {
        burst.keys[i] = {ip.source, tcp.source_port, *service};
        burst.steps[i] = Step::kSegment;
        return;
      }
    } else {
      parse_frame(frame, good, parsed);
    }
    burst.steps[i] = from_client(parsed, frame.data(), finder, nic_mac, burst.keys[i]);
  });
}

}  // namespace

void read_from_clients(PacketBurst& burst, const SteeringTable* table, const NicQueue& nic) {
  if (nic.verifies_checksums()) {
    return read_clients(burst, table, nic.mac(),
                        [&](const rte_mbuf* packet) { return nic.checksums(packet); });
  }
  read_clients(burst, table, nic.mac(), [](const rte_mbuf*) { return ChecksumsKnownGood{}; });
}

void read_handed_over(PacketBurst& burst, const SteeringTable* table, const MacAddress& nic_mac) {
  read_clients(burst, table, nic_mac,
               [](const rte_mbuf*) { return ChecksumsKnownGood{.ipv4 = true, .l4 = true}; });
}

void read_from_guest(PacketBurst& burst, const SteeringService& service, ServiceIndex index) {
  // The client checks the sums; a guest that sends wrong ones harms only itself.
  constexpr ChecksumsKnownGood kUnchecked{.ipv4 = true, .l4 = true};
  const PlainHeaders plain = PlainHeaders::from(kGuestMac);
  for_each_frame(burst, [&](uint16_t i, std::span<const uint8_t> frame) {
    ParsedPacket& parsed = burst.parsed[i];
    if (!parse_plain_segment(plain, frame, kUnchecked, parsed)) parse_frame(frame, kUnchecked, parsed);
    burst.steps[i] = from_guest(parsed, frame.data(), service, index, burst.keys[i]);
  });
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
