// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any operations on a flow table: it always agrees with a map. Input: [size][hash key][operation, key]...
#include <cstddef>
#include <cstdint>

#include "tests/support/flow_table_twin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  using cheshire::test::flow_key;
  // Small tables: with few buckets, full ones are met soon.
  cheshire::test::FlowTableTwin twin(1U + data[0] % 64U, {.k0 = data[1], .k1 = 0});
  for (size_t at = 2; at + 1 < size; at += 2) {
    const uint8_t argument = data[at + 1];
    // Keys that differ in every field at once, so that the whole of one is compared.
    const cheshire::FlowKey key = flow_key(argument * 0x0001000100010001ULL);
    switch (data[at] % 8) {
      case 0:
      case 1:
      case 2:
        twin.insert(key);
        break;
      case 3:
        twin.find(key);
        break;
      case 4:
      case 5:
        twin.erase(key);
        break;
      case 6:
        twin.sweep(1U + argument % 4U, [](const cheshire::FlowKey&) { return false; });
        break;
      case 7:
        twin.sweep(1U + argument % 4U, [argument](const cheshire::FlowKey& visited) {
          return (visited.client_port.value() & argument) == 0;
        });
        break;
    }
  }
  twin.check_all();
  return 0;
}
