// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The policies of a service: which of its keys each kind has, the steps by themselves and together, names,
// warmup and cooldown.
#include <optional>
#include <unordered_map>

#include "controlplane/config/config_checks.h"
#include "controlplane/config/config_values.h"
#include "controlplane/config/policy_words.h"
#include "controlplane/policy/policy_kind.h"
#include "controlplane/policy/policy_lint.h"

namespace cheshire {
namespace {

// One policy of the file, on its way from words to values.
class PolicyCheck {
 public:
  PolicyCheck(PolicyDraft& draft, std::string path, const KeyPlaces& places, ProblemList& problems)
      : draft_(draft), path_(std::move(path)), places_(places), problems_(problems) {}

  void check() {
    if (!places_.usable(path_) || !places_.usable(path_ + ".kind")) return;
    PolicyConfig& policy = draft_.config;
    if (policy.name.empty()) policy.name = to_string(policy.kind);
    check_keys();
    if (!places_.usable(path_ + ".metric") || !places_.usable(path_ + ".adjustment")) return;
    const PolicyKindOps& kind = ops_of(policy.kind);
    if (kind.has(PolicyKey::kSteps) && places_.usable(path_ + ".steps")) read_steps();
    if (kind.has(PolicyKey::kTarget) && given("target") && places_.usable(path_ + ".target")) {
      const Result<int64_t> target = parse_target(draft_.target, policy.metric);
      if (!target.ok()) return error(".target", target.error().what);
      policy.target = target.value();
    }
  }

 private:
  [[nodiscard]] bool given(const char* key) const { return places_.given(path_ + "." + key); }
  void error(const std::string& key, std::string message) const {
    problems_.error(places_.nearest(path_ + key), path_ + key, std::move(message));
  }

  void check_keys() const {
    const std::string kind(to_string(draft_.config.kind));
    for (size_t i = 0; i < kPolicyKeyNames.size(); ++i) {
      const std::string key = "." + std::string(kPolicyKeyNames[i]);
      const bool is_given = places_.given(path_ + key);
      const KeyUse use = ops_of(draft_.config.kind).keys[i];
      if (is_given && use == KeyUse::kNone) error(key, "means nothing to the kind " + kind + "; remove it");
      if (!is_given && use == KeyUse::kRequired) error(key, "is missing; the kind " + kind + " needs it");
    }
  }

  void read_steps() {
    PolicyConfig& policy = draft_.config;
    bool fine = given("steps");
    for (size_t i = 0; i < draft_.steps.size(); ++i) {
      const std::string key = ".steps[" + std::to_string(i) + "]";
      if (!places_.usable(path_ + key)) return;
      const Result<StepRange> step = parse_step(draft_.steps[i], policy.metric);
      std::optional<Error> wrong;
      if (!step.ok()) {
        wrong = step.error();
      } else if (const Result<void> fits = check_adjustment(step.value(), policy.adjustment); !fits.ok()) {
        wrong = fits.error();
      } else {
        policy.steps.push_back(step.value());
      }
      if (wrong) error(key, wrong->what);
      fine = fine && !wrong;
    }
    if (!fine) return;
    Result<std::vector<StepRange>> ordered = order_steps(std::move(policy.steps));
    if (!ordered.ok()) return error(".steps", ordered.error().what);
    policy.steps = std::move(ordered).value();
  }

  PolicyDraft& draft_;
  const std::string path_;
  const KeyPlaces& places_;
  ProblemList& problems_;
};

// Per policy and not check_policies() over all: each complaint stands where its name does.
void check_names(const ServiceDraft& draft, const std::string& path, const KeyPlaces& places,
                 ProblemList& problems) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t i = 0; i < draft.policies.size(); ++i) {
    const std::string key = path + ".policies[" + std::to_string(i) + "]";
    if (!places.usable(key) || !places.usable(key + ".name") || !places.usable(key + ".kind")) continue;
    const std::string& name = draft.policies[i].config.name;
    const auto [other, fresh] = first.emplace(name, i);
    if (fresh) continue;
    problems.error(places.nearest(key + ".name"), key + ".name",
                   in_quotes(name) + " is already the name of policies[" + std::to_string(other->second) +
                       "]; give it another one");
  }
}

void check_paces(const ServiceDraft& draft, const std::string& path, const KeyPlaces& places,
                 ProblemList& problems) {
  for (const PolicyDraft& policy : draft.policies) {
    if (!ops_of(policy.config.kind).paced()) continue;
    for (const auto& [key, ns] :
         {std::pair(".warmup", draft.config.warmup_ns), std::pair(".cooldown", draft.config.cooldown_ns)}) {
      if (!places.usable(path + key) || ns >= kPolicyPaceMinNs) continue;
      problems.error(places.nearest(path + key), path + key,
                     format_duration(ns) + " is too short for the policy " + in_quotes(policy.config.name) +
                         "; with a step or target policy write at least " +
                         format_duration(kPolicyPaceMinNs));
    }
    return;
  }
}

// A service that would swing for ever under some constant load, were it not for the projection guard.
void check_rest(const ServiceConfig& service, const std::string& path, const KeyPlaces& places,
                ProblemList& problems) {
  const bool usable = places.usable(path + ".instances.min") && places.usable(path + ".instances.max") &&
                      places.usable(path + ".in_flight.soft");
  if (!usable || service.instances_min > service.instances_max) return;
  if (std::string warning = swing_warning(service); !warning.empty()) {
    problems.warning(places.nearest(path + ".policies"), path + ".policies", std::move(warning));
  }
}

}  // namespace

void check_policies(ServiceDraft& draft, const std::string& path, const KeyPlaces& places,
                    ProblemList& problems) {
  if (!places.given(path + ".policies") || !places.usable(path + ".policies")) return;
  for (size_t i = 0; i < draft.policies.size(); ++i) {
    PolicyCheck(draft.policies[i], path + ".policies[" + std::to_string(i) + "]", places, problems).check();
  }
  check_names(draft, path, places, problems);
  check_paces(draft, path, places, problems);
  draft.config.policies.clear();
  for (PolicyDraft& policy : draft.policies) draft.config.policies.push_back(std::move(policy.config));
  if (!problems.has_error()) check_rest(draft.config, path, places, problems);
}

}  // namespace cheshire
