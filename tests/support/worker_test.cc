// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "tests/support/worker_test.h"

#include <rte_mbuf.h>

#include <array>

#include "check.h"

namespace cheshire::test {
namespace {

constexpr int kTurnsMax = 10'000;

SteeringService listing(const ServiceWords& words) {
  return {.vip = words.vip.ip,
          .port = be16(words.vip.port),
          .guest_ip = words.guest.ip,
          .guest_port = be16(words.guest.port),
          .in_flight_soft = 4,
          .hold_syns_max = 8,
          .hold_time_max_ns = 3 * kNsPerSecond,
          .instances_max = 3};
}

const char* edge_word(LoadEdge edge) {
  constexpr std::array kWords = {"periodic", "demand", "soft limit", "attached",
                                 "ready",    "dead",   "drained",    "wake"};
  return kWords[static_cast<size_t>(edge)];
}

}  // namespace

WorkerTest::WorkerTest(const Setup& setup)
    : setup_(setup),
      services_{listing(kWeb), listing(kApi)},
      slots_(kSlots),
      guests_(kSlots),
      generations_(kSlots),
      board_(std::make_unique<LoadBoard>(kSlots, services_.size(), setup.workers)),
      marks_(std::make_unique<FlowMarkBoard>(services_.size(), setup.workers)),
      steering_(std::make_unique<Published<SteeringTable>>(setup.workers)),
      workers_(std::make_unique<WorkerGroup>(
          WorkerGroupOptions{.workers = setup.workers,
                             .each = {.slots = kSlots,
                                      .services = services_.size(),
                                      .held_syns_max = setup.held_syns_max,
                                      .config = setup.worker,
                                      .flow_hash_key = {},
                                      .pool = Dpdk::get().pool(),
                                      .packets_per_sample = setup.packets_per_sample},
                             .load_records = setup.load_records},
          WorkerGroupLinks{.nic = &Dpdk::get().nic(),
                           .steering = steering_.get(),
                           .board = board_.get(),
                           .marks = marks_.get()})) {
  CHECK(Dpdk::get().packets_in_use() == 0);
  service(kApi).worker = setup.workers > 1 ? 1 : 0;
  publish();
}

WorkerTest::~WorkerTest() = default;

void WorkerTest::TearDown() {
  if (workers_ != nullptr) run();
  static_cast<void>(take_from_wire());
  EXPECT_EQ(board_->sum(&WorkerLoad::nic_rx_packets), frames_from_clients_);
  EXPECT_EQ(board_->sum(&WorkerLoad::nic_tx_packets), frames_to_clients_);
  uint64_t given = 0;
  uint64_t sent = 0;
  for (const auto* guests : {&guests_, &former_guests_}) {
    for (const std::unique_ptr<Guest>& guest : *guests) {
      if (guest == nullptr) continue;
      given += guest->packets_given();
      sent += guest->packets_sent();
    }
  }
  EXPECT_EQ(board_->sum(&WorkerLoad::packets_to_guest), given);
  EXPECT_EQ(board_->sum(&WorkerLoad::packets_from_guest), sent);
  end_worker();
}

void WorkerTest::end_worker() {
  workers_.reset();
  static_cast<void>(take_from_wire());
  EXPECT_EQ(Dpdk::get().packets_in_use(), 0U) << "packet buffers are lost";
}

// --- clients and guests ---

void WorkerTest::put(const Bytes& frame, size_t split_at, uint32_t mark) {
  // More than fits on the wire at once: let the worker take some.
  while (!Dpdk::get().put_on_wire(frame, split_at, mark, queue_)) turn();
  ++frames_from_clients_;
}

void WorkerTest::Client::sends_bytes(const Bytes& frame) {
  test_.put(frame);
  test_.run();
}

std::vector<Bytes> WorkerTest::take_from_wire() {
  std::vector<Bytes> frames = Dpdk::get().take_from_wire();
  frames_to_clients_ += frames.size();
  return frames;
}

Words WorkerTest::Client::got() {
  Words words;
  for (const Bytes& frame : test_.take_from_wire()) words.push_back(told_at_client(frame));
  return words;
}

WorkerTest::GuestSide WorkerTest::guest(uint16_t slot) {
  CHECK(guests_[slot] != nullptr);
  return {*this, *guests_[slot]};
}

void WorkerTest::GuestSide::sends_bytes(const Bytes& frame) {
  guest_.puts_on_ring(frame);
  test_.run();
}

Words WorkerTest::GuestSide::got() {
  Words words;
  for (const Bytes& frame : guest_.takes_off_ring()) words.push_back(told_at_guest(frame));
  return words;
}

void WorkerTest::GuestSide::has_buffers(size_t count) {
  guest_.has_buffers(count);
  test_.run();
}

// --- the control plane ---

void WorkerTest::steering_publishes() {
  steering_->publish(SteeringTable(services_, slots_));
}

void WorkerTest::publish() {
  steering_publishes();
  run();
}

void WorkerTest::expects(uint16_t slot) {
  has_slot(slot, slot < 3 ? kWeb : kApi);
}

void WorkerTest::has_slot(uint16_t slot, const ServiceWords& service) {
  slots_[slot] = {{++generations_[slot].value}, service.index, SlotRole::kAccepting};
  if (guests_[slot] != nullptr) former_guests_.push_back(std::move(guests_[slot]));
  guests_[slot] = std::make_unique<Guest>();
  publish();
}

void WorkerTest::drains(uint16_t slot) {
  slots_[slot].role = SlotRole::kDraining;
  publish();
}

void WorkerTest::recalls(uint16_t slot) {
  slots_[slot].role = SlotRole::kAccepting;
  publish();
}

void WorkerTest::has_role(uint16_t slot, SlotRole role) {
  slots_[slot].role = role;
  publish();
}

void WorkerTest::removes(uint16_t slot) {
  slots_[slot] = {};
  publish();
}

void WorkerTest::refuses(const ServiceWords& words, bool refuse) {
  service(words).refuse = refuse;
  publish();
}

// --- the thread that watches vhost-user ---

void WorkerTest::sends_port_up(uint16_t slot) {
  for (SpscRing<PortMessage>* ring : workers_->port_messages()) {
    CHECK(ring->push({.kind = PortMessage::Kind::kUp,
                      .slot = slot,
                      .port = guests_[slot].get(),
                      .connected_ns = now_ns_ - 30,
                      .ring_up_ns = now_ns_ - 10,
                      .messages_ns = 7}));
  }
}

void WorkerTest::sends_port_down(uint16_t slot) {
  for (SpscRing<PortMessage>* ring : workers_->port_messages()) {
    CHECK(ring->push({.kind = PortMessage::Kind::kDown, .slot = slot}));
  }
}

void WorkerTest::comes_up(uint16_t slot) {
  sends_port_up(slot);
  run();
}

void WorkerTest::dies(uint16_t slot) {
  const uint64_t before = downs_acknowledged();
  sends_port_down(slot);
  run();
  EXPECT_EQ(downs_acknowledged(), before + 1);
  guests_[slot]->is_gone();
}

// --- what tests often begin with ---

void WorkerTest::is_ready(uint16_t slot) {
  expects(slot);
  comes_up(slot);
  // As it answers a probe of the worker's own: no client's flow is in the way of the test.
  const Flow probe{.port = next_starter_port_++, .service = slot < 3 ? kWeb : kApi};
  guest(slot).sends(probe.syn_ack());
  ASSERT_EQ(load(slot).ready_generation.get(), generation(slot).value);
  ASSERT_EQ(load(slot).in_flight.get(), 0U);
  static_cast<void>(guest(slot).got());
  static_cast<void>(client.got());
  static_cast<void>(edges());
  static_cast<void>(drops());
}

void WorkerTest::opens(const Flow& flow, uint16_t slot) {
  client.sends(flow.syn());
  ASSERT_EQ(guest(slot).got().size(), 1U) << "the SYN of " << flow.port << " did not come to slot " << slot;
  guest(slot).sends(flow.syn_ack());
  ASSERT_EQ(client.got().size(), 1U) << "the SYN-ACK for " << flow.port << " did not come to the client";
  client.sends(flow.ack());
  ASSERT_EQ(guest(slot).got().size(), 1U) << "the ACK of " << flow.port << " did not come to slot " << slot;
}

// --- time ---

bool WorkerTest::turn_of(size_t number) {
  const bool busy = worker(number).turn(now_ns_);
  check_sum();
  return busy;
}

bool WorkerTest::turn() {
  bool busy = false;
  for (size_t number = 0; number < workers_->size(); ++number) busy |= turn_of(number);
  return busy;
}

void WorkerTest::run() {
  int turns = 0;
  while (turn()) CHECK(++turns < kTurnsMax);
  turn();
  turn();
  EXPECT_EQ(board_->sum(&WorkerLoad::handed_over), board_->sum(&WorkerLoad::taken_over))
      << "none lies in a ring";
}

void WorkerTest::advance(uint64_t ns) {
  now_ns_ += ns;
  run();
}

// --- what the worker says ---

void WorkerTest::check_sum() {
  for (const WorkerLoad& load : board_->workers()) {
    uint64_t dropped = 0;
    for (const Counter& drop : load.drops) dropped += drop.get();
    const uint64_t in = load.nic_rx_packets.get() + load.packets_from_guest.get() + load.generated.get() +
                        load.taken_over.get();
    const uint64_t out = load.nic_tx_packets.get() + load.packets_to_guest.get() + dropped +
                         load.held_packets.get() + load.handed_over.get();
    EXPECT_EQ(in, out) << "nic_rx " << load.nic_rx_packets.get() << " + from_guest "
                       << load.packets_from_guest.get() << " + generated " << load.generated.get()
                       << " + taken_over " << load.taken_over.get() << " is not nic_tx "
                       << load.nic_tx_packets.get() << " + to_guest " << load.packets_to_guest.get()
                       << " + drops " << dropped << " + held " << load.held_packets.get() << " + handed_over "
                       << load.handed_over.get();
  }
}

std::string WorkerTest::drops() {
  std::string words;
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    const uint64_t count = board_->dropped(static_cast<DropReason>(reason));
    if (count == drops_told_[reason]) continue;
    if (!words.empty()) words += ", ";
    words += std::string(kDropReasonNames[reason]) + " " + std::to_string(count - drops_told_[reason]);
    drops_told_[reason] = count;
  }
  return words;
}

Words WorkerTest::edges() {
  Words words;
  LoadRecord record;
  for (SpscRing<LoadRecord>* ring : workers_->load_rings()) {
    while (ring->pop(record)) {
      EXPECT_EQ(record.version, kLoadRecordVersion);
      if (record.edge == LoadEdge::kPeriodic) continue;
      std::string word = edge_word(record.edge);
      if (record.edge == LoadEdge::kDemand) {
        word += record.service == kWeb.index ? " web" : " api";
      } else {
        word += " " + std::to_string(record.slot.value) + "/" + std::to_string(record.generation.value);
      }
      words.push_back(word);
    }
  }
  return words;
}

}  // namespace cheshire::test
