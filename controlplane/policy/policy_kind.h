// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What a kind of policy is: a few functions and facts, in one file per kind (step.cc, target.cc, on_demand.cc,
// idle.cc), found by the table in policy_kinds.cc. Whoever reads, checks, prints, decides or tries out policies
// goes through this, and knows no kind by name.
//
// A new kind is a file that defines `const PolicyKindOps WORD_policy`, and a line at the end of
// CHESHIRE_POLICY_KINDS (include/policy_config.h). Its functions are pure: no clock, no state; what has to be
// remembered between two rounds comes in with the view. They are called on the control thread, by the config
// check and by the client.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "config.h"
#include "controlplane/policy/policy.h"
#include "policy_config.h"

namespace cheshire {

enum class KeyUse : uint8_t { kNone, kOptional, kRequired };

// What one policy wants, at the view's size and load, without paces and bounds.
struct Wish {
  uint32_t wanted = 0;  // the view's size: it has no objection
  uint8_t step = kNoStep;
};

struct PolicyKindOps {
  // Which keys it has, by PolicyKey.
  std::array<KeyUse, kPolicyKeyNames.size()> keys{};
  // It grows only while every instance is warm, and at the earliest `warmup` after the service last grew.
  bool grows_paced = false;
  // It shrinks only while every instance is warm, `cooldown` after the service last shrank, and never takes
  // the last instance.
  bool shrinks_paced = false;

  // `rules`: of its service.
  Wish (*wish)(const PolicyConfig& policy, const ServiceView& view, const ServiceConfig& rules) = nullptr;
  // For the check of a config (policy_lint.h): the load of this metric that makes one instance full in the
  // policy's eyes; nullopt: it does not look at it.
  std::optional<int64_t> (*full_load)(const PolicyConfig& policy, Metric metric,
                                      const ServiceConfig& rules) = nullptr;
  // What it saw, in words that follow its name: ", cpu 812 millicores".
  std::string (*reason)(const PolicyConfig& policy, const ServiceView& view,
                        const Decision& decision) = nullptr;

  [[nodiscard]] KeyUse use_of(PolicyKey key) const { return keys[static_cast<size_t>(key)]; }
  [[nodiscard]] bool has(PolicyKey key) const { return use_of(key) != KeyUse::kNone; }
  [[nodiscard]] bool paced() const { return grows_paced || shrinks_paced; }
};

[[nodiscard]] const PolicyKindOps& ops_of(PolicyKind kind);

}  // namespace cheshire
