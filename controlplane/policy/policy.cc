// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/policy/policy.h"

#include <algorithm>

#include "controlplane/policy/policy_kind.h"

namespace cheshire {
namespace {

Wish wish_of(const PolicyConfig& policy, const ServiceView& view, const ServiceConfig& rules) {
  return ops_of(policy.kind).wish(policy, view, rules);
}

// `since_ns` 0: it never happened.
bool has_passed(uint64_t pace_ns, uint64_t since_ns, uint64_t now_ns) {
  return since_ns == 0 || now_ns >= since_ns + pace_ns;
}

bool anyone_wants_out(const ServiceView& view, const ServiceConfig& rules) {
  return std::any_of(rules.policies.begin(), rules.policies.end(), [&](const PolicyConfig& policy) {
    return wish_of(policy, view, rules).wanted > view.size;
  });
}

// What the policies make of it, before the bounds.
class Ballot {
 public:
  Ballot(const ServiceView& view, const ServiceConfig& rules, uint64_t now_ns)
      : view_(view), rules_(rules), now_ns_(now_ns), out_{.wanted = view.size}, in_{.wanted = view.size} {
    for (size_t i = 0; i < rules.policies.size(); ++i) ask(static_cast<uint8_t>(i));
  }

  [[nodiscard]] Decision result(Guard guard) const {
    if (out_.by != Reason::kNone) return out_;
    if (in_.by == Reason::kNone || in_.brake != Brake::kNone) return in_;
    return guard == Guard::kOn ? guarded(in_) : in_;
  }

 private:
  void ask(uint8_t index) {
    const PolicyConfig& policy = rules_.policies[index];
    const Wish wish = wish_of(policy, view_, rules_);
    Decision decision{
        .wanted = wish.wanted, .by = reason_of(policy.kind), .policy = index, .step = wish.step};
    if (wish.wanted > view_.size) {
      if (ops_of(policy.kind).grows_paced && !may_grow_paced()) hold(decision, Brake::kWarmup);
      if (out_.by == Reason::kNone || decision.wanted > out_.wanted) out_ = decision;
    } else if (wish.wanted < view_.size) {
      brake_in(policy, decision);
      // The most careful of those that may; one that has to wait is shown only if no other asks.
      const bool free = decision.brake == Brake::kNone;
      const bool first = in_.by == Reason::kNone;
      if (first || (free && in_.brake != Brake::kNone) ||
          (free == (in_.brake == Brake::kNone) && decision.wanted > in_.wanted)) {
        in_ = decision;
      }
    }
  }

  [[nodiscard]] bool may_grow_paced() const {
    return view_.cold == 0 && has_passed(rules_.warmup_ns, view_.grew_ns, now_ns_);
  }

  void brake_in(const PolicyConfig& policy, Decision& decision) const {
    if (!ops_of(policy.kind).shrinks_paced) return;
    if (view_.cold != 0) return hold(decision, Brake::kWarmup);
    if (!has_passed(rules_.cooldown_ns, view_.shrank_ns, now_ns_)) return hold(decision, Brake::kCooldown);
    if (decision.wanted != 0) return;
    decision.wanted = 1;
    if (view_.size == 1) hold(decision, Brake::kLastInstance);
  }

  void hold(Decision& decision, Brake brake) const {
    decision.wanted = view_.size;
    decision.brake = brake;
  }

  // The smallest size from the wanted one on at which nobody would want out again.
  [[nodiscard]] Decision guarded(Decision decision) const {
    const uint32_t wished = decision.wanted;
    for (; decision.wanted < view_.size; ++decision.wanted) {
      if (decision.wanted == 0 ? view_.in_flight + view_.waiting_syns == 0
                               : !anyone_wants_out(projected(view_, decision.wanted), rules_)) {
        break;
      }
    }
    if (decision.wanted != wished) decision.brake = Brake::kGuard;
    return decision;
  }

  const ServiceView& view_;
  const ServiceConfig& rules_;
  const uint64_t now_ns_;
  Decision out_;
  Decision in_;
};

}  // namespace

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone:
      return "none";
    case Reason::kBounds:
      return "bounds";
    case Reason::kWake:
      return "wake";
#define CHESHIRE_REASON_WORD(enumerator, word) \
  case Reason::enumerator:                     \
    return #word;
      CHESHIRE_POLICY_KINDS(CHESHIRE_REASON_WORD)
#undef CHESHIRE_REASON_WORD
  }
  return "?";
}

const char* to_string(Brake brake) {
  constexpr const char* kNames[] = {"none", "guard", "warmup", "cooldown", "bounds", "last_instance"};
  const auto index = static_cast<size_t>(brake);
  return index < std::size(kNames) ? kNames[index] : "?";
}

// Delays are taken to grow in proportion as well. They grow faster near the capacity, but a policy on a delay
// that is far below its bound is what lets instances go, and there it is the better guess than none.
ServiceView projected(const ServiceView& view, uint32_t size) {
  ServiceView there = view;
  there.size = size;
  there.booting = there.cold = there.quiet = 0;
  for (MetricView& metric : there.metrics) {
    metric.value = (metric.total + size - 1) / size;
  }
  return there;
}

Decision decide(const ServiceView& view, const ServiceConfig& rules, uint64_t now_ns, Guard guard) {
  Decision decision = Ballot(view, rules, now_ns).result(guard);
  if (view.size == 0 && view.waiting_syns != 0 && decision.wanted == 0) {
    decision = {.wanted = 1, .by = Reason::kWake};
  }
  const uint32_t bounded = std::clamp(decision.wanted, rules.instances_min, rules.instances_max);
  if (bounded == decision.wanted) return decision;
  decision.wanted = bounded;
  if (decision.by == Reason::kNone) {
    decision.by = Reason::kBounds;
  } else {
    decision.brake = Brake::kBounds;
  }
  return decision;
}

}  // namespace cheshire
