// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What is seen of one instance between two steps of its limit (admission_limit.h): how long clients waited for answers,
// how many answers there were, how many flows were in flight. One thread. No DPDK.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/flow/admission_limit.h"

namespace cheshire {

class AnswerWatch {
 public:
  AdmissionState state;

  void begin(uint64_t now_ns) { *this = AnswerWatch(now_ns); }
  AnswerWatch() = default;
  explicit AnswerWatch(uint64_t now_ns) : began_ns_(now_ns), changed_ns_(now_ns) {}

  // Before the number of flows whose client waits for an answer changes from `owing`.
  void note_owing(uint32_t owing, bool answered, uint64_t now_ns) {
    waited_ns_ += owing * (now_ns - changed_ns_);
    changed_ns_ = now_ns;
    if (answered) ++answers_;
  }
  void note_in_flight(uint32_t in_flight) { in_flight_most_ = std::max(in_flight_most_, in_flight); }

  [[nodiscard]] AdmissionInterval interval(uint32_t owing, uint64_t queue_delay_ns, uint64_t now_ns) {
    note_owing(owing, false, now_ns);
    return {.length_ns = now_ns - began_ns_,
            .waited_ns = waited_ns_,
            .answers = answers_,
            .in_flight_most = in_flight_most_,
            .queue_delay_ns = queue_delay_ns};
  }
  void step(const AdmissionState& next, uint64_t now_ns) {
    begin(now_ns);
    state = next;
  }

 private:
  uint64_t began_ns_ = 0;
  uint64_t changed_ns_ = 0;
  uint64_t waited_ns_ = 0;
  uint64_t answers_ = 0;
  uint32_t in_flight_most_ = 0;
};

}  // namespace cheshire
