// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// idle: fewer by the instances without a flow. The only kind that takes the last instance away.
#include <algorithm>

#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

Wish wish(const PolicyConfig& /*policy*/, const ServiceView& view, const ServiceConfig& /*rules*/) {
  return {view.size - std::min(view.quiet, view.size)};
}

std::optional<int64_t> full_load(const PolicyConfig& /*policy*/, Metric /*metric*/,
                                 const ServiceConfig& /*rules*/) {
  return std::nullopt;
}

std::string reason(const PolicyConfig& /*policy*/, const ServiceView& view, const Decision& /*decision*/) {
  return ", " + std::to_string(view.quiet) + " quiet";
}

}  // namespace

extern const PolicyKindOps idle_policy;
const PolicyKindOps idle_policy{.wish = wish, .full_load = full_load, .reason = reason};

}  // namespace cheshire
