// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as a decision trace: what is read was whole, nothing is read twice, and it can be replayed. The
// checksums of half of the inputs are mended first, so that what lies behind them is reached.
#include <cstring>
#include <vector>

#include "check.h"
#include "controlplane/policy/decision_words.h"
#include "controlplane/trace/replay.h"
#include "controlplane/trace/trace_reader.h"

namespace {

using namespace cheshire;

void mend(std::vector<std::byte>& bytes) {
  for (size_t at = 0; at + sizeof(TraceHead) <= bytes.size();) {
    TraceHead head;
    std::memcpy(&head, &bytes[at], sizeof(head));
    const bool whole =
        head.magic == kTraceMagic && head.length >= sizeof(head) && head.length <= bytes.size() - at;
    if (!whole) {
      ++at;
      continue;
    }
    const uint32_t crc = trace_crc(std::span(bytes).subspan(at, head.length));
    std::memcpy(&bytes[at + offsetof(TraceHead, crc)], &crc, sizeof(crc));
    at += head.length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::vector<std::byte> bytes(size - 1);
  if (size > 1) std::memcpy(bytes.data(), data + 1, size - 1);
  if ((data[0] & 1U) != 0) mend(bytes);
  const Trace trace = read_trace(bytes);

  size_t covered = 0;
  for (const TraceDamage& damage : trace.damages) covered += damage.bytes;
  for (const auto& any : trace.records) {
    covered += std::visit([](const auto& record) { return sizeof(record); }, any);
  }
  CHECK(covered == bytes.size());

  std::vector<ServiceConfig> rules;
  for (const auto& any : trace.records) {
    if (const auto* fresh = std::get_if<TraceRules>(&any)) rules.push_back(rules_of(*fresh));
  }
  for (const ReplayedDecision& decision : replay_same(trace).decisions) {
    for (const ServiceConfig& rule : rules) {
      CHECK(describe_decision(decision.recorded.view, decision.now, rule).size() <= kDecisionWordsMax);
    }
  }
  for (const ReplayedDecision& decision : replay_other(trace, rules).decisions) {
    CHECK(decision.now.wanted <= 1U << 24U);
  }
  return 0;
}
