// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Thousands of random steps with a seed: clients that send anything, guests that answer as they like,
// instances that come, drain, die and are removed, and time. After each turn the sum of load_board.h holds.
// What a guest gets is for its own service, and of a flow whose SYN this very instance (slot and generation)
// was given, or would have been, had it taken its packets or had the flow table had room. What a client gets comes from a VIP, goes to its
// own MAC and VLAN, and within one connection from one instance: guests put their number into their sequence
// numbers.
//
// A failure prints seed and step.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "tests/support/worker_test.h"

namespace cheshire::test {
namespace {

constexpr uint32_t kClients = 40;
constexpr unsigned kNumberShift = 20;  // sequence numbers of instance n begin at n << 20

struct SoakRow {
  uint64_t seed;
  uint32_t flows_max;  // a large table takes many rounds to sweep
  size_t workers = 1;
};

void PrintTo(const SoakRow& row, std::ostream* out) {
  *out << "seed " << row.seed << ", " << row.flows_max << " flows, " << row.workers << " workers";
}

class Soak : public WorkerTest, public ::testing::WithParamInterface<SoakRow> {
 protected:
  Soak()
      : WorkerTest(Setup{.workers = GetParam().workers,
                         .held_syns_max = 10,
                         .worker = {.flows_max = GetParam().flows_max,
                                    .handshake_timeout_ns = 2 * kNsPerSecond,
                                    .idle_timeout_ns = 10 * kNsPerSecond,
                                    .closing_timeout_ns = kNsPerSecond}}),
        random_(GetParam().seed) {
    for (uint16_t number = 0; number < kClients; ++number) {
      const auto low = static_cast<uint8_t>(number);
      Peer peer{.flow = {.port = static_cast<uint16_t>(30000 + number / 2),
                         .service = number % 3 == 0 ? kApi : kWeb,
                         .client_mac = {{0x52, 0, 0, 0, 0, low}},
                         .client_ip = be32(kClientIp.value() + number % 2)}};
      if (number % 4 == 1) peer.flow.vlan_tci = number;
      peers_.push_back(peer);
    }
  }

  struct Peer {
    Flow flow;
    uint32_t owner = 0;  // number of the instance that answered the newest SYN; 0: none yet
  };
  using ClientKey = std::pair<uint32_t, uint16_t>;  // address, port
  struct Instance {
    uint32_t number = 0;
    bool listed = false;
    bool draining = false;
    bool up = false;
    uint64_t ring_full_before = 0;       // drops of all instances when this one began
    std::map<ClientKey, uint32_t> syns;  // newest SYN it was given
    std::set<ClientKey> answered;
  };

  uint64_t any(uint64_t below) { return random_() % below; }
  bool chance(unsigned percent) { return any(100) < percent; }

  void client_acts() {
    Peer& peer = peers_[any(peers_.size())];
    Flow& flow = peer.flow;
    TcpFrame frame;
    switch (any(10)) {
      case 0:
      case 1:
      case 2:
        flow.isn = ++isn_ * 100;
        [[fallthrough]];
      case 3:
        peer.owner = 0;
        frame = flow.syn();
        break;
      case 4:
      case 5:
      case 6:
        frame = flow.data("GET");
        break;
      case 7:
        frame = flow.from_client(kTcpFin | kTcpAck, flow.isn + 1, (peer.owner << kNumberShift) + 2);
        break;
      case 8:
        peer.owner = 0;
        frame = flow.rst();
        break;
      default:
        frame =
            flow.from_client(static_cast<uint8_t>(any(64)), flow.isn + 1, static_cast<uint32_t>(random_()));
        if ((frame.tcp.flags & (kTcpSyn | kTcpRst)) != 0) peer.owner = 0;
        break;
    }
    if (chance(2)) frame.ip.destination = be32(0xc0000263);
    if (chance(2)) frame.tcp.destination_port = 4711;
    Bytes bytes = build(frame);
    if (chance(5)) bytes = build(IcmpFrame{.ethernet = {.source = flow.client_mac}});
    if (chance(5)) bytes = build(ArpFrame{.ethernet = {.source = flow.client_mac}});
    if (chance(8)) damage(bytes);
    if (chance(5)) bytes.resize(any(bytes.size() + 1));
    // As a NIC spreads them: what a client sends comes to one queue.
    arrives_at(static_cast<size_t>(&peer - peers_.data()) / 2 % GetParam().workers);
    put(bytes);
  }

  // Anywhere but in the client's MAC and VLAN, which have no checksum and are where the reply goes to.
  void damage(Bytes& bytes) {
    const size_t at = chance(20) ? any(6) : 18 + any(bytes.size() - 18);
    bytes[at] ^= static_cast<uint8_t>(1 + any(255));
  }

  void guest_answers(uint16_t slot, const Bytes& frame) {
    Instance& instance = instances_[slot];
    ASSERT_TRUE(std::equal(kGuestMac.bytes.begin(), kGuestMac.bytes.end(), frame.begin()))
        << told_at_guest(frame);
    if (read16(frame, 12) == kEtherTypeArp) return;
    ASSERT_EQ(read16(frame, 12), kEtherTypeIpv4);
    const ServiceWords& service = slot < 3 ? kWeb : kApi;
    const ClientKey key{read32(frame, 26), read16(frame, 34)};
    const uint8_t flags = frame[47];
    ASSERT_EQ(read32(frame, 30), service.guest.ip.value()) << told_at_guest(frame);
    ASSERT_EQ(read16(frame, 36), service.guest.port) << told_at_guest(frame);
    ASSERT_TRUE(ipv4_checksum_is_right(frame) && tcp_checksum_is_right(frame)) << told_at_guest(frame);
    const Flow flow{.port = key.second,
                    .service = service,
                    .guest_isn = instance.number << kNumberShift,
                    .client_ip = be32(key.first)};
    const uint32_t sequence = read32(frame, 38);
    if ((flags & (kTcpSyn | kTcpAck)) == kTcpSyn) {
      instance.syns[key] = sequence;
      if (chance(20)) return;
      if (chance(20)) {
        instance.answered.erase(key);
        return send(slot, flow.from_guest(kTcpRst | kTcpAck, flow.guest_isn, sequence + 1));
      }
      instance.answered.insert(key);
      return send(slot, flow.from_guest(kTcpSyn | kTcpAck, flow.guest_isn, sequence + 1));
    }
    if ((flags & kTcpRst) != 0) return;  // the client's, or our answer to something without a flow
    // Unless the SYN was lost because this guest did not take its packets; or the flow table was full, and then
    // hashing names an instance of the service for segments whose flow is not known.
    if (dropped(DropReason::k_guest_ring_full) == instance.ring_full_before &&
        board().sum(&WorkerLoad::untracked) == 0) {
      ASSERT_TRUE(instance.syns.contains(key))
          << "slot " << slot << " never got a SYN of " << told_at_guest(frame);
    }
    if (!instance.answered.contains(key)) return;
    if (chance(70)) send(slot, flow.reply("200"));
    if (chance(20)) send(slot, flow.from_guest(kTcpFin | kTcpAck, flow.guest_isn + 1, sequence + 1));
  }

  void guest_invents(uint16_t slot) {
    Instance& instance = instances_[slot];
    Flow flow = peers_[any(peers_.size())].flow;
    flow.guest_isn = instance.number << kNumberShift;
    TcpFrame frame = flow.from_guest(kTcpAck, flow.guest_isn + 1, 1, "invention");
    const ClientKey key{flow.client_ip.value(), flow.port};
    // In a flow that it has not answered, as the worker sees it: only a reset or from a false address.
    if (!instance.answered.contains(key) || chance(30))
      frame.ip.source = be32(static_cast<uint32_t>(random_()));
    if (chance(20)) frame.ethernet.vlan_tci = 3;
    Bytes bytes = build(frame);
    if (chance(20)) bytes = build(ArpFrame{.ethernet = {.source = kGuestMac}, .sender_mac = kGuestMac});
    if (chance(30)) bytes.resize(any(bytes.size() + 1));
    raw_guest(slot).puts_on_ring(bytes);
  }

  void send(uint16_t slot, const TcpFrame& frame) { raw_guest(slot).puts_on_ring(build(frame)); }

  void guests_act() {
    for (uint16_t slot = 0; slot < kSlots; ++slot) {
      if (instances_[slot].number == 0) continue;
      for (const Bytes& frame : raw_guest(slot).takes_off_ring()) guest_answers(slot, frame);
      if (instances_[slot].up && chance(10)) guest_invents(slot);
    }
  }

  void clients_receive() {
    for (const Bytes& frame : take_from_wire()) {
      size_t l3 = 14;
      std::optional<uint16_t> tci;
      if (read16(frame, 12) == kEtherTypeVlan) {
        tci = read16(frame, 14);
        l3 = 18;
      }
      ASSERT_TRUE(std::equal(kNicMac.bytes.begin(), kNicMac.bytes.end(), frame.begin() + 6))
          << told_at_client(frame);
      if (read16(frame, l3 - 2) != kEtherTypeIpv4 || frame[l3 + 9] != kIpProtocolTcp) continue;
      ASSERT_TRUE(ipv4_checksum_is_right(frame, l3) && tcp_checksum_is_right(frame, l3))
          << told_at_client(frame);
      const uint32_t vip = read32(frame, l3 + 12);
      ASSERT_TRUE(vip == kWeb.vip.ip.value() || vip == kApi.vip.ip.value()) << told_at_client(frame);
      const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& candidate) {
        return candidate.flow.client_ip.value() == read32(frame, l3 + 16) &&
               candidate.flow.port == read16(frame, l3 + 22) && candidate.flow.service.vip.ip.value() == vip;
      });
      const uint8_t flags = frame[l3 + 33];
      if (peer == peers_.end()) {  // it asked for a port where nobody listens, at the other VIP
        ASSERT_TRUE((flags & kTcpRst) != 0) << told_at_client(frame);
        continue;
      }
      ASSERT_TRUE(std::equal(frame.begin(), frame.begin() + 6, peer->flow.client_mac.bytes.begin()))
          << told_at_client(frame);
      ASSERT_EQ(tci, peer->flow.vlan_tci) << told_at_client(frame);
      if ((flags & kTcpRst) != 0) {
        peer->owner = 0;
        continue;
      }
      const uint32_t number = read32(frame, l3 + 24) >> kNumberShift;
      if (peer->owner == 0) peer->owner = number;
      // A guest of these answers whatever comes for a flow that it once knew, also what hashing sends it.
      if (board().sum(&WorkerLoad::untracked) != 0) peer->owner = number;
      ASSERT_EQ(peer->owner, number) << "two instances in one connection: " << told_at_client(frame);
      ++segments_at_clients_;
    }
  }

  void instances_act() {
    const auto slot = static_cast<uint16_t>(any(kSlots));
    Instance& instance = instances_[slot];
    switch (any(12)) {
      case 0:
      case 1:
        // As the control plane does it: a slot is used again when its port is down.
        if (instance.listed || instance.up) return;
        expects(slot);
        instance = Instance{
            .number = ++numbers_, .listed = true, .ring_full_before = dropped(DropReason::k_guest_ring_full)};
        return;
      case 2:
      case 3:
      case 4:
        if (!instance.listed || instance.up || died_.contains(instance.number)) return;
        comes_up(slot);
        instance.up = true;
        return;
      case 5:
        if (!instance.up) return;
        dies(slot);
        died_.insert(instance.number);
        instance.up = false;
        return;
      case 6:
        if (!instance.listed) return;
        removes(slot);
        instance.listed = false;
        return;
      case 7:
        if (!instance.listed) return;
        instance.draining = !instance.draining;
        return instance.draining ? drains(slot) : recalls(slot);
      case 8:
        return refuses(chance(50) ? kWeb : kApi, chance(20));
      default:
        if (instance.up) raw_guest(slot).has_buffers(chance(20) ? any(5) : 100'000);
    }
  }

  void everything_ends() {
    for (uint16_t slot = 0; slot < kSlots; ++slot) {
      if (instances_[slot].listed) removes(slot);
      if (instances_[slot].up) dies(slot);
    }
    for (int step = 0; step < 300; ++step) advance(50 * kNsPerMs);
    static_cast<void>(take_from_wire());
    for (uint16_t slot = 0; slot < kSlots; ++slot) {
      EXPECT_EQ(load(slot).in_flight.get(), 0U) << "slot " << slot;
      EXPECT_EQ(load(slot).flows_opened.get(), load(slot).flows_closed.get()) << "slot " << slot;
    }
    EXPECT_EQ(board().sum(&WorkerLoad::flows), 0U);
    EXPECT_EQ(board().sum(&WorkerLoad::held_packets), 0U);
    for (const ServiceWords* service : {&kWeb, &kApi}) {
      EXPECT_EQ(load(*service).held_syns.get(), 0U);
      EXPECT_EQ(load(*service).waiting_syns.get(), 0U);
    }
  }

  void step() {
    for (uint64_t burst = any(6); burst > 0; --burst) client_acts();
    if (chance(15)) instances_act();
    if (chance(70)) lets_pass(any(3 * kNsPerMs));
    if (chance(2)) lets_pass(any(2 * kNsPerSecond));
    for (uint64_t turns = 1 + any(3); turns > 0; --turns) turn();
    guests_act();
    clients_receive();
  }

  uint64_t segments_at_clients_ = 0;

 private:
  std::mt19937_64 random_;
  std::vector<Peer> peers_;
  std::array<Instance, kSlots> instances_;
  std::set<uint32_t> died_;
  uint32_t numbers_ = 0;
  uint32_t isn_ = 0;
};

TEST_P(Soak, holds_what_it_promises) {
  constexpr int kSteps = 20'000;
  for (int number = 0; number < kSteps; ++number) {
    step();
    ASSERT_FALSE(HasFailure()) << "step " << number << "; drops so far: " << drops();
  }
  everything_ends();
  std::cout << segments_at_clients_ << " segments reached a client; drops: " << drops() << "\n";
  EXPECT_GT(segments_at_clients_, 1000U) << "the soak is dry: hardly anything reaches a client";
}

// CHESHIRE_SOAK_SEEDS=200 runs that many.
std::vector<SoakRow> rows() {
  const char* wanted = std::getenv("CHESHIRE_SOAK_SEEDS");
  const uint64_t seeds = wanted == nullptr ? 6 : std::strtoul(wanted, nullptr, 10);
  constexpr std::array<uint32_t, 3> kFlowsMax = {1024, 65536, 16};
  std::vector<SoakRow> rows;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    rows.push_back({seed, kFlowsMax[seed % kFlowsMax.size()], 1});
    rows.push_back({seed, kFlowsMax[seed % kFlowsMax.size()], 2 + seed % 2});
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Seeds, Soak, ::testing::ValuesIn(rows()), [](const auto& row) {
  return "seed_" + std::to_string(row.param.seed) + "_flows_" + std::to_string(row.param.flows_max) +
         "_workers_" + std::to_string(row.param.workers);
});

}  // namespace
}  // namespace cheshire::test
