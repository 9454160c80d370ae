// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The ways out of a worker, to guests and to clients, and the only hands on the counters of the conservation law
// (load_board.h): what comes in is counted here, and each packet leaves by one of these functions or is parked.
//
//   to guests    queue_to_guest() ─► the slot's queue ─► flush_to_guests() ─► its ring
//   to clients   send_to_client() ─► one list of the round ─► transmit() ─► the NIC
//   neither      drop(), with a reason
//   not yet      park(): a held SYN, which leaves the hold by take_parked(), drop_parked() or forget_delivered()
//
// A packet that is queued and leaves in the same turn is never counted as held. A parked SYN is held until its first
// copy was made for a guest: the copy stands for it from then on, the original is only ours, and what is made of it
// after that is of our making.
//
// Above load_report and guest_poll; knows no other part. The worker's thread only. This header needs no DPDK, so that
// the parts above it are tested without; its source is one of the few that do.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/hold_queue.h"
#include "dataplane/packet/parse.h"
#include "dataplane/packet/rewrite.h"
#include "dataplane/port/nic_port.h"
#include "dataplane/worker/guest_poll.h"
#include "dataplane/worker/load_report.h"
#include "dataplane/worker/packet_burst.h"
#include "dataplane/worker/sent_packets.h"
#include "dataplane/worker/slot.h"
#include "dataplane/worker/turn.h"
#include "load_board.h"

struct rte_mbuf;
struct rte_mempool;

namespace cheshire {

// The frame in a packet buffer of one segment, and how long it could become there.
[[nodiscard]] std::span<uint8_t> frame_of(rte_mbuf* packet);
[[nodiscard]] size_t room_of(const rte_mbuf* packet);

class Egress {
 public:
  // `pool`: for packets of our own.
  Egress(const NicQueue& nic, rte_mempool* pool, size_t services, const WorkerBoard& board, SlotArray& slots,
         LoadReport& report, GuestPoll& poll);
  Egress(const Egress&) = delete;
  Egress& operator=(const Egress&) = delete;
  // Frees every packet that is queued, counted as dropped.
  ~Egress();

  // A new table's service: how its packets are rewritten.
  void configure(ServiceIndex index, const SteeringService& service) {
    rewrites_[index.value] = ServiceRewrite(service);
  }
  [[nodiscard]] const ServiceRewrite& rewrite(ServiceIndex index) const { return rewrites_[index.value]; }
  [[nodiscard]] const MacAddress& nic_mac() const { return nic_.mac(); }

  // Packets that came in, or went to another worker. What they are is their receiver's to say.
  void count_from_nic(uint64_t packets) { board_.worker.nic_rx_packets.add(packets); }
  void count_from_guest(const Slot& slot, uint64_t packets, uint64_t bytes) {
    slot.load->packets_from_guest.add(packets);
    slot.load->bytes_from_guest.add(bytes);
    board_.worker.packets_from_guest.add(packets);
  }
  void count_handed_over(uint64_t packets) { board_.worker.handed_over.add(packets); }
  void count_taken_over(uint64_t packets) { board_.worker.taken_over.add(packets); }

  // A packet of our own, `length` bytes of nothing yet; nullptr, counted: no buffer.
  [[nodiscard]] rte_mbuf* new_packet(uint16_t length);

  // To a guest as it is. In line, for each packet.
  void queue_to_guest(const Turn& turn, SlotIndex index, Slot& slot, rte_mbuf* packet) {
    if (!slot.queue.push(packet)) [[unlikely]]
      return drop_for_full_queue(slot, packet);
    if (slot.to_flush) {
      // Not each of those who take nothing is looked at in each turn.
      if (slot.stuck) [[unlikely]]
        count_queued(slot);
      return;
    }
    slot.to_flush = true;
    fresh_[fresh_count_++] = index;
    // Where packets wait already, they have woken it, or its pause did (Slots::change_role()).
    if (slot.role == SlotRole::kStandby) [[unlikely]]
      tell_wake(turn, index, slot);
  }
  // A client's packet: addressed to the guest, its VLAN tag taken out.
  void forward_to_guest(const Turn& turn, rte_mbuf* packet, ParsedPacket& parsed, ServiceIndex service,
                        SlotIndex index);
  // The guest's own segment comes back as a reset, so that it does not keep, and retransmit in, a connection that
  // nobody has.
  void reset_guest(const Turn& turn, SlotIndex index, rte_mbuf* packet, const ParsedPacket& parsed);
  void flush_to_guests();
  // The instance is gone: what is queued for it has nowhere to go.
  void drop_queue(Slot& slot);

  // To a client as it is. In line, for each packet.
  void send_to_client(const Turn& turn, rte_mbuf* packet) {
    if (to_clients_count_ == to_clients_.size()) transmit(turn);
    to_clients_[to_clients_count_++] = packet;
  }
  // A guest's packet: from the service's address, with the client's VLAN tag.
  void send_reply(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed, ServiceIndex service,
                  const MacAddress& client_mac, uint16_t vlan_tci);
  // The client's own frame goes back: it has become the answer, of that length.
  void answer(const Turn& turn, rte_mbuf* packet, uint16_t length);
  // The client's own segment goes back as a reset.
  void reset_client(const Turn& turn, rte_mbuf* packet, const ParsedPacket& parsed);
  // To the client of an open flow whose instance is gone. Without a buffer nothing: the client's next packet finds no
  // flow and is answered with a reset then.
  void reset_lost_flow(const Turn& turn, const FlowEntry& flow);
  // One of the packets that the next transmit() gives to the NIC is a rejection: how long it took is counted.
  void note_rejection() { ++rejections_; }
  void transmit(const Turn& turn);

  void drop(rte_mbuf* packet, DropReason reason);
  void drop_of(const Slot& slot, rte_mbuf* packet, DropReason reason) {
    slot.load->drops.increment();
    drop(packet, reason);
  }

  // Held SYNs: what each owes the conservation law stands here and nowhere else.
  void park(HeldSyn& syn, rte_mbuf* packet, const ParsedPacket& parsed);
  // The client has begun anew: its SYN takes the place of the parked one.
  void replace_parked(HeldSyn& syn, rte_mbuf* packet, const ParsedPacket& parsed);
  // For a guest; nullptr, counted: no buffer.
  [[nodiscard]] rte_mbuf* copy_parked(HeldSyn& syn);
  // The packet is the caller's again, as if it had just come.
  [[nodiscard]] rte_mbuf* take_parked(const HeldSyn& syn);
  void drop_parked(const HeldSyn& syn, DropReason reason);
  // A copy of it was delivered, and nobody will ask for another.
  void forget_delivered(const HeldSyn& syn);

  // Gives back the buffers that went to guests in this turn.
  void free_sent();

 private:
  [[nodiscard]] bool flush_slot(SlotIndex index, Slot& slot);
  [[nodiscard]] bool flush_one(Slot& slot);
  [[nodiscard]] bool flush_many(Slot& slot);
  void flush_stuck();
  void count_given(Slot& slot, uint64_t packets, uint64_t bytes) {
    slot.load->packets_to_guest.add(packets);
    slot.load->bytes_to_guest.add(bytes);
    flushed_ += packets;
  }
  void count_queued(Slot& slot);
  void tell_wake(const Turn& turn, SlotIndex index, const Slot& slot);
  void drop_for_full_queue(Slot& slot, rte_mbuf* packet);
  void time_rejections(const Turn& turn);

  const NicQueue nic_;
  rte_mempool* const pool_;
  const WorkerBoard board_;
  SlotArray& slots_;
  LoadReport& report_;
  GuestPoll& poll_;
  std::vector<ServiceRewrite> rewrites_;  // by service
  // Slots with packets in their queue: of this turn, and those whose guest has not taken them.
  std::vector<SlotIndex> fresh_;  // the first fresh_count_ of as many as there are slots
  uint32_t fresh_count_ = 0;
  uint64_t flushed_ = 0;  // packets that guests took in this flush
  std::vector<SlotIndex> stuck_;
  size_t stuck_next_ = 0;
  SentPackets sent_;
  std::array<rte_mbuf*, 4 * kBurst> to_clients_{};
  uint16_t to_clients_count_ = 0;
  uint32_t rejections_ = 0;  // among them
};

}  // namespace cheshire
