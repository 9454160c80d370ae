// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as steps, one a line, the first byte choosing the metric: what is read is printed and read back
// the same, and what is ordered keeps every promise of order_steps().
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "controlplane/config/policy_words.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cheshire;
  if (size == 0) return 0;
  const auto metric = static_cast<Metric>(data[0] % kMetrics);
  std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  std::vector<StepRange> steps;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    const Result<StepRange> step = parse_step(line, metric);
    if (!step.ok()) {
      CHECK(step.error().what.find_first_of("\n\r\033") == std::string::npos);
      continue;
    }
    CHECK(step.value().lower || step.value().upper);
    CHECK(!step.value().lower || !step.value().upper || *step.value().lower < *step.value().upper);
    const Result<StepRange> again = parse_step(format_step(step.value()), metric);
    CHECK(again.ok() && again.value() == step.value());
    steps.push_back(step.value());
  }
  const Result<std::vector<StepRange>> ordered = order_steps(steps);
  if (!ordered.ok()) return 0;
  CHECK(ordered.value().size() == steps.size() && !steps.empty() && steps.size() <= kStepsMax);
  for (size_t i = 1; i < steps.size(); ++i) {
    CHECK(ordered.value()[i - 1].upper && ordered.value()[i].lower);
    CHECK(*ordered.value()[i - 1].upper == *ordered.value()[i].lower);
  }
  return 0;
}
