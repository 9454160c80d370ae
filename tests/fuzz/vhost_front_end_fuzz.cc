// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes from the data plane, cut anywhere: replies or one error, and never more replies than bytes for
// them. Input: the first byte says how large the pieces are.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "check.h"
#include "hypervisor/vmm/vhost_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  if (size == 0) return 0;
  const size_t piece = 1 + data[0];
  std::span<const std::byte> bytes = std::as_bytes(std::span(data + 1, size - 1));
  constexpr size_t kReplyBytes = 20;
  const size_t replies_max = bytes.size() / kReplyBytes;
  VhostReplyReader reader;
  size_t replies = 0;
  while (!bytes.empty()) {
    const size_t count = std::min(piece, bytes.size());
    reader.feed(bytes.first(count));
    bytes = bytes.subspan(count);
    while (true) {
      const auto reply = reader.next();
      if (!reply) {
        CHECK(!reply.error().what.empty());
        return 0;
      }
      if (!reply.value()) break;
      CHECK(++replies <= replies_max);
      (void)to_string(reply.value()->request);
    }
  }
  return 0;
}
