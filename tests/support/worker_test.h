// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The stage on which the real workers play, mostly one: the test is the clients, the guests, the control plane and the
// clock. Two services: web with slots 0, 1, 2 (guests at an address of their own), api with slots 3, 4
// (guests at the VIP itself).
//
//   expects(0);                      // the control plane publishes an instance in slot 0
//   comes_up(0);                     // its rings are up
//   client.sends(flow.syn());
//   EXPECT_THAT(guest(0).got(), ElementsAre("40000>web SYN seq 1000"));
//   advance(20 * kNsPerMs);
//
// After each turn the sum of load_board.h is checked, and at the end that no packet buffer is lost.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/worker/worker_group.h"
#include "tests/support/dpdk.h"
#include "tests/support/flow.h"
#include "tests/support/guest.h"

namespace cheshire::test {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Words = std::vector<std::string>;

class WorkerTest : public ::testing::Test {
 protected:
  static constexpr uint16_t kSlots = 5;

  struct Setup {
    size_t workers = 1;  // web is worker 0's, api worker 1's, where there are two
    size_t held_syns_max = 64;
    size_t load_records = 1024;
    WorkerConfig worker = {.flows_max = 1024};
    uint32_t packets_per_sample = kPacketsPerSample;
  };
  explicit WorkerTest(const Setup& setup);
  WorkerTest() : WorkerTest(Setup{}) {}
  ~WorkerTest() override;
  void TearDown() override;

  // --- clients and guests ---
  class Client {
   public:
    explicit Client(WorkerTest& test) : test_(test) {}
    // Frames of any kind, in one burst; then the worker runs until it is idle.
    template <typename... Frames>
    void sends(const Frames&... frames) {
      (test_.put(build(frames)), ...);
      test_.run();
    }
    void sends_bytes(const Bytes& frame);
    [[nodiscard]] Words got();

   private:
    WorkerTest& test_;
  };
  class GuestSide {
   public:
    GuestSide(WorkerTest& test, Guest& guest) : test_(test), guest_(guest) {}
    template <typename... Frames>
    void sends(const Frames&... frames) {
      (guest_.puts_on_ring(build(frames)), ...);
      test_.run();
    }
    void sends_bytes(const Bytes& frame);
    [[nodiscard]] Words got();
    void has_buffers(size_t count);

   private:
    WorkerTest& test_;
    Guest& guest_;
  };
  Client client{*this};
  [[nodiscard]] GuestSide guest(uint16_t slot);
  // What clients send from now on comes to this worker's receive queue.
  void arrives_at(size_t worker) { queue_ = worker; }
  void put(const Bytes& frame, size_t split_at = 0, uint32_t mark = 0);
  // Frames as they are, for tests that look at every byte.
  [[nodiscard]] std::vector<Bytes> take_from_wire();
  [[nodiscard]] Guest& raw_guest(uint16_t slot) { return *guests_[slot]; }

  // --- the control plane: each publishes a table ---
  void publish();
  void expects(uint16_t slot);                                // a new generation
  void has_slot(uint16_t slot, const ServiceWords& service);  // likewise, of that service
  void steering_publishes();                                  // without running the workers
  void drains(uint16_t slot);                                 // takes no new flows
  void recalls(uint16_t slot);                                // takes new flows again
  void has_role(uint16_t slot, SlotRole role);
  void removes(uint16_t slot);  // is not in the table any more
  void refuses(const ServiceWords& service, bool refuse = true);
  [[nodiscard]] SteeringService& service(const ServiceWords& words) { return services_[words.index.value]; }

  // --- the thread that watches vhost-user ---
  void comes_up(uint16_t slot);
  void dies(uint16_t slot);
  void sends_port_up(uint16_t slot);  // without running the worker
  void sends_port_down(uint16_t slot);

  // --- what tests often begin with ---
  void is_ready(uint16_t slot);                 // expected, up, and has answered a probe
  void opens(const Flow& flow, uint16_t slot);  // the handshake, which must go to this slot

  // --- time ---
  bool turn();                  // of each worker, in order
  bool turn_of(size_t number);  // of one alone
  void run();                   // until idle, and two turns more
  void advance(uint64_t ns);
  void lets_pass(uint64_t ns) { now_ns_ += ns; }  // without a turn of the worker
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }

  // --- what the worker says ---
  [[nodiscard]] LoadBoard& board() { return *board_; }
  [[nodiscard]] FlowMarkBoard& marks() { return *marks_; }
  [[nodiscard]] std::vector<SpscRing<PinRequest>*> pin_requests() { return workers_->pin_requests(); }
  [[nodiscard]] const SlotLoad& load(uint16_t slot) const { return board_->slot(SlotIndex{slot}); }
  [[nodiscard]] const ServiceLoad& load(const ServiceWords& words) const {
    return board_->service(words.index);
  }
  [[nodiscard]] uint64_t dropped(DropReason reason) const { return board_->dropped(reason); }
  // "guest_spoofed 1, not_ours 2" since the last call
  [[nodiscard]] std::string drops();
  // "demand web", "attached 0/1", "ready 0/1": slot and generation; since the last call, but periodic ones
  [[nodiscard]] Words edges();
  [[nodiscard]] Worker& worker(size_t number = 0) { return workers_->worker(number); }
  [[nodiscard]] uint64_t downs_acknowledged() const { return workers_->downs_acknowledged(); }  // by all
  [[nodiscard]] const WorkerLoad& of_worker(size_t number) const { return board_->worker(number); }
  [[nodiscard]] Generation generation(uint16_t slot) const { return slots_[slot].generation; }
  [[nodiscard]] const Published<SteeringTable>& steering() const { return *steering_; }

  void check_sum();   // the law of load_board.h
  void end_worker();  // all of them

 private:
  const Setup setup_;
  uint64_t now_ns_ = kNsPerSecond;
  std::vector<SteeringService> services_;
  std::vector<SteeringSlot> slots_;
  std::vector<std::unique_ptr<Guest>> guests_;  // by slot: of the newest instance
  std::vector<std::unique_ptr<Guest>> former_guests_;
  std::vector<Generation> generations_;
  std::unique_ptr<LoadBoard> board_;
  std::unique_ptr<FlowMarkBoard> marks_;
  std::unique_ptr<Published<SteeringTable>> steering_;
  std::unique_ptr<WorkerGroup> workers_;
  size_t queue_ = 0;
  std::array<uint64_t, kDropReasons> drops_told_{};
  uint64_t frames_from_clients_ = 0;
  uint64_t frames_to_clients_ = 0;
  uint16_t next_starter_port_ = 1;
};

}  // namespace cheshire::test
