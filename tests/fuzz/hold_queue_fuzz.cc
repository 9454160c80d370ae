// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any operations on a hold queue: it always agrees with lists. Input: [places][operation, argument]...
#include <cstddef>
#include <cstdint>

#include "tests/support/hold_queue_twin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  constexpr uint8_t kServices = 3;
  cheshire::test::HoldQueueTwin twin(kServices, data[0] % 33U);
  uint64_t now_ns = 1;
  for (size_t at = 1; at + 1 < size; at += 2) {
    const cheshire::ServiceIndex service{static_cast<uint16_t>(data[at] / 8U % kServices)};
    const uint8_t argument = data[at + 1];
    switch (data[at] % 8) {
      case 0:
      case 1:
      case 2:
        now_ns += argument % 4U;  // often the same moment as the one before
        twin.park(service, now_ns);
        break;
      case 3:
      case 4:
        twin.offer(service, argument % 8U, {argument});
        break;
      case 5:
        twin.back_to_waiting(service, argument % 8U);
        break;
      case 6:
        twin.take_waiting(service, argument % 8U);
        break;
      case 7:
        twin.take_offered(service, argument % 8U);
        break;
    }
    twin.check_all();
  }
  return 0;
}
