// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The table of the kinds of policy, made from CHESHIRE_POLICY_KINDS.
#include "controlplane/policy/policy_kind.h"

namespace cheshire {

#define CHESHIRE_DECLARE(enumerator, word) extern const PolicyKindOps word##_policy;
CHESHIRE_POLICY_KINDS(CHESHIRE_DECLARE)
#undef CHESHIRE_DECLARE

const PolicyKindOps& ops_of(PolicyKind kind) {
#define CHESHIRE_ADDRESS(enumerator, word) &word##_policy,
  static constexpr std::array kKinds = {CHESHIRE_POLICY_KINDS(CHESHIRE_ADDRESS)};
#undef CHESHIRE_ADDRESS
  return *kKinds[static_cast<size_t>(kind)];
}

}  // namespace cheshire
