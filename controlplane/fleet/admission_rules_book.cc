// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/fleet/admission_rules_book.h"

#include <algorithm>

#include "dataplane/packet/http_refusal.h"
#include "units.h"

namespace cheshire {
namespace {

TokenRate rate_of(uint32_t per_second) {
  if (per_second == 0) return {};
  // A tenth of a second's worth at once.
  return {.interval_ns = kNsPerSecond / per_second, .burst = std::max(per_second / 10, 1U)};
}

// In whole seconds, as HTTP has it: never earlier than was configured.
uint32_t seconds_of(uint64_t ns) {
  return static_cast<uint32_t>((ns + kNsPerSecond - 1) / kNsPerSecond);
}

}  // namespace

AdmissionRules make_admission_rules(const ServiceConfig& config) {
  AdmissionRules rules{.action = config.overload.action,
                       .challenge = config.flood.challenge,
                       .hard_is_auto = config.in_flight_hard == kHardAuto,
                       .any_unknown_proves = config.flood.syn_rate == 0,
                       .refusals = rate_of(config.overload.per_source),
                       .syns = rate_of(config.flood.syn_rate),
                       .remember_ns = config.flood.remember_ns,
                       .probe_every_ns = config.health.probe_every_ns};
  if (rules.action == OverloadAction::kHttp503) {
    rules.page = make_refusal_page(
        seconds_of(config.overload.retry_after_ns), seconds_of(config.overload.retry_jitter_ns),
        config.overload.body.empty() ? std::string() : config.overload.body + "\n");
  }
  return rules;
}

std::shared_ptr<const AdmissionRules> AdmissionRulesBook::rules(ServiceIndex service,
                                                                const ServiceConfig& config) {
  if (pages_.size() <= service.value) pages_.resize(size_t{service.value} + 1);
  Page& page = pages_[service.value];
  const bool hard_is_auto = config.in_flight_hard == kHardAuto;
  if (page.rules == nullptr || page.overload != config.overload || page.flood != config.flood ||
      page.health != config.health || page.hard_is_auto != hard_is_auto) {
    page = {std::make_shared<const AdmissionRules>(make_admission_rules(config)), config.overload,
            config.flood, config.health, hard_is_auto};
  }
  return page.rules;
}

}  // namespace cheshire
