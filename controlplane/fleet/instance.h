// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One VM as the control plane sees it. How it goes from state to state: instance_life.h.
//
//   preparing  a shell is ordered
//   shell      prepared: process, VM, memory, image, vhost-user connected; not one guest instruction run
//   warming    booted ahead of any client, not yet seen to be ready; asked by our own probe
//   pausing    shown as standby in the steering table; its vCPU is being paused
//   standby    booted, was ready, vCPU paused; perhaps with quiet flows, the next packet of which wakes it
//   booting    listed in the steering table, ordered from the driver, not yet seen to answer a SYN
//   active     its SYN-ACK was seen
//   draining   gets no new flows; ends when its last flow does, or at the drain deadline; may be called back
//   leaving    taken off the steering table; not every worker has seen that yet
//   stopping   the driver was told to end it; ends when the process is gone and its connection closed
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

#include "config.h"
#include "ids.h"

namespace cheshire {

enum class InstanceState : uint8_t {
  kAbsent,
  kPreparing,
  kShell,
  kWarming,
  kBooting,
  kActive,
  kDraining,
  kPausing,
  kStandby,
  kLeaving,
  kStopping,
};
inline constexpr uint8_t kInstanceStates = 11;

// From what an instance was started when somebody wanted it.
enum class StartTier : uint8_t { kCold, kShell, kStandby };

constexpr const char* to_string(StartTier tier) {
  switch (tier) {
    case StartTier::kCold:
      return "cold";
    case StartTier::kShell:
      return "shell";
    case StartTier::kStandby:
      return "standby";
  }
  return "?";
}

constexpr const char* to_string(InstanceState state) {
  switch (state) {
    case InstanceState::kAbsent:
      return "absent";
    case InstanceState::kPreparing:
      return "preparing";
    case InstanceState::kShell:
      return "shell";
    case InstanceState::kWarming:
      return "warming";
    case InstanceState::kPausing:
      return "pausing";
    case InstanceState::kStandby:
      return "standby";
    case InstanceState::kBooting:
      return "booting";
    case InstanceState::kActive:
      return "active";
    case InstanceState::kDraining:
      return "draining";
    case InstanceState::kLeaving:
      return "leaving";
    case InstanceState::kStopping:
      return "stopping";
  }
  return "?";
}

struct Instance;
enum class LifeCause : uint8_t;  // instance_life.h

// A state that is made once and then changed by instance_life.h only; everybody may read it.
class LifeState {
 public:
  constexpr LifeState(InstanceState state) : state_(state) {}  // NOLINT(google-explicit-constructor)
  constexpr operator InstanceState() const { return state_; }  // NOLINT(google-explicit-constructor)
  LifeState& operator=(InstanceState) = delete;

 private:
  friend void change_state(Instance& instance, LifeCause cause, uint64_t now_ns);
  void enter(InstanceState state) { state_ = state; }

  InstanceState state_;
};

// Written by the control thread only; behind each field: which part of it writes.
struct Instance {
  InstanceId id;
  ServiceIndex service = kNobodys;  // instance_pool: whose slot it is; kNobodys: a spare one
  uint16_t number = 0;              // instance_pool: of the slot among those of its service, for its name
  DriverKind driver = DriverKind::kAuto;  // instance_life: of the image that it was begun with
  LifeState state = InstanceState::kAbsent;
  bool process_gone = true;  // driver events: nothing is left that could be stopped
  bool failed = false;       // instance_life: that is why it leaves
  bool proven = false;       // health: active for so long that its boot counts as a success
  bool retiring = false;     // retirement: drains for good, is neither called back nor kept
  bool last_resort = false;  // replacement: … and takes new flows, as nobody else can
  bool replaces = false;  // replacement: boots in the place of one of an old image; not counted until ready
  uint32_t revision = 0;  // instance_life: of its service's image that it was begun with
  bool awaited = false;   // whoever orders it: a SYN waited
  StartTier tier = StartTier::kCold;  // instance_life
  int32_t pid = 0;                    // driver events; 0: no process
  uint64_t ordered_ns = 0;            // instance_life: of the last order to boot, prepare, run or pause
  uint64_t spawn_began_ns = 0;        // driver events: the driver began to make its process
  uint64_t spawned_ns = 0;            // driver events
  uint64_t ready_ns = 0;              // instance_life: when it last proved that it answers; 0: never so far
  uint64_t busy_ns = 0;               // observation: last seen with a flow; instance_life: came up
  uint64_t flows_opened = 0;          // observation: at that look
  uint64_t packets = 0;               // observation: both ways, at the last look
  uint64_t pause_packets = 0;         // instance_life: likewise, when it was decided to pause it
  uint64_t pause_ordered_ns = 0;      // pausing: when the driver was told; 0: not every worker knows yet
  uint64_t moved_ns = 0;              // observation: when packets was last seen to change
  uint64_t drain_began_ns = 0;        // instance_life
  uint64_t empty_since_ns = 0;        // draining, observation: without a flow since; 0: it has some
  // departures, absent: WorkerLoad::sweeps_done of its worker at which the last one's flows are gone
  uint64_t sweeps_due = 0;
  uint64_t table_version = 0;  // publication: of the first table that shows its present role

  // Where a draining instance returns to when it is called back.
  [[nodiscard]] bool was_ready() const { return ready_ns != 0; }
  [[nodiscard]] bool counts() const {
    return state == InstanceState::kBooting || state == InstanceState::kActive;
  }
  // Listed in the steering table.
  [[nodiscard]] bool listed() const {
    return counts() || state == InstanceState::kWarming || state == InstanceState::kDraining ||
           state == InstanceState::kPausing || state == InstanceState::kStandby;
  }
};

// The instances of one service, wherever their slots lie: a view of a list of pointers as a list of
// instances.
template <typename T>
class InstanceRange {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Instance;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;

    explicit Iterator(Instance* const* at = nullptr) : at_(at) {}
    T& operator*() const { return **at_; }
    T* operator->() const { return *at_; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    Instance* const* at_;
  };

  explicit InstanceRange(std::span<Instance* const> list) : list_(list) {}
  [[nodiscard]] Iterator begin() const { return Iterator(list_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(list_.data() + list_.size()); }

 private:
  std::span<Instance* const> list_;
};

}  // namespace cheshire
