// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One VM as the control plane sees it, and the states it goes through:
//
//   absent ────────────► booting ► active ► draining ► leaving ► stopping ► absent
//     │ ▲                  ▲  ▲       │        │          ▲
//     │ └ preparing ► shell┘  │       ▼        ▼          │
//     │                       └────standby ◄ pausing      │
//     └► warming ────────────────────────────►┘           │
//                 any that fails ─────────────────────────┘
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

struct Instance {
  InstanceId id;
  ServiceIndex service = kNobodys;        // whose slot it is; kNobodys: in the pool of spare ones
  uint16_t number = 0;                    // of the slot among those of its service, for its name
  DriverKind driver = DriverKind::kAuto;  // of the image that it was begun with
  InstanceState state = InstanceState::kAbsent;
  bool was_active = false;  // where a draining instance returns to when it is called back
  bool process_gone = true;
  bool failed = false;
  bool proven = false;  // it has been active for a while
  bool pause_ordered = false;
  bool retiring = false;     // drains for good: neither called back nor kept
  bool last_resort = false;  // … and takes new flows, as nobody else can
  bool replaces = false;     // boots to take the place of one of an old image; not counted before it is ready
  uint32_t revision = 0;     // of its service's image that it was begun with
  bool awaited = false;      // a SYN waited when it was ordered
  StartTier tier = StartTier::kCold;
  int32_t pid = 0;
  uint64_t ordered_ns = 0;      // of the last order to boot, prepare, run or pause
  uint64_t spawn_began_ns = 0;  // the driver began to make its process
  uint64_t spawned_ns = 0;
  uint64_t ready_ns = 0;
  uint64_t busy_ns = 0;        // when it was last seen with a flow, or came up
  uint64_t flows_opened = 0;   // at that look
  uint64_t packets = 0;        // both ways, at the last look
  uint64_t pause_packets = 0;  // likewise, when it was decided to pause it
  uint64_t moved_ns = 0;       // when that was last seen to change
  uint64_t drain_began_ns = 0;
  uint64_t empty_since_ns = 0;  // draining: without a flow since; 0: it has some
  uint64_t sweeps_due =
      0;  // absent: WorkerLoad::sweeps_done of its worker at which the last one's flows are gone
  uint64_t table_version = 0;  // of the first table that shows its present role

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
