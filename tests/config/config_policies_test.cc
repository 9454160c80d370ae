// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Policies in the config file: what they become, and each problem with its place, key and remedy.
#include <gtest/gtest.h>

#include "controlplane/config/config_yaml.h"

namespace cheshire {
namespace {

// The policies begin in line 8; `extra` is a line of the service.
std::string config_with(const std::string& policies, const std::string& extra = "") {
  return "name: demo\nnic: {device: net_null0}\nimages: {web: {kernel: a}}\nservices:\n  hello:\n"
         "    listen: 192.0.2.10:80\n    image: web\n" +
         policies + extra;
}

ConfigResult parsed(const std::string& text) {
  return parse_config(text, "f", {.base_dir = "/", .check_files = false});
}

std::string problems_of(const std::string& policies, const std::string& extra = "") {
  return format_problems(parsed(config_with(policies, extra)).problems);
}

TEST(ConfigPolicies, EveryKindIsRead) {
  const ConfigResult result = parsed(config_with(R"(    policies:
      - {name: busy, kind: step, metric: cpu, adjustment: percentage, steps: ["800:/100", "600:800/50"]}
      - name: calm
        kind: step
        metric: cpu
        adjustment: percent
        steps:
          - :50/-50
      - {kind: target, metric: queue_delay, target: 2ms}
      - kind: on_demand
      - kind: idle
    warmup: 20ms
    cooldown: 1s
)"));
  EXPECT_EQ(format_problems(result.problems), "");
  ASSERT_TRUE(result.ok());
  const ServiceConfig& service = result.config->services[0];
  EXPECT_EQ(service.warmup_ns, 20 * kNsPerMs);
  EXPECT_EQ(service.cooldown_ns, kNsPerSecond);
  ASSERT_EQ(service.policies.size(), 5U);
  EXPECT_EQ(service.policies[0], (PolicyConfig{.name = "busy",
                                               .kind = PolicyKind::kStep,
                                               .metric = Metric::kCpu,
                                               .adjustment = Adjustment::kPercent,
                                               .steps = {{600, 800, 50}, {800, {}, 100}}}));
  EXPECT_EQ(service.policies[1].steps, (std::vector<StepRange>{{{}, 50, -50}}));
  EXPECT_EQ(service.policies[2].name, "target") << "its kind, where no name is given";
  EXPECT_EQ(service.policies[2].target, 2'000'000);
  EXPECT_EQ(service.policies[3].kind, PolicyKind::kOnDemand);
}

TEST(ConfigPolicies, WithoutTheKeyThereAreTheDefaults) {
  EXPECT_EQ(parsed(config_with("")).config->services[0].policies, default_policies());
  EXPECT_TRUE(parsed(config_with("    policies: []\n")).config->services[0].policies.empty());
}

TEST(ConfigPolicies, PoliciesThatSwingAreTold) {
  const std::string steps = R"(    policies:
      - {name: busy, kind: step, metric: cpu, adjustment: percent, steps: ["600:800/50", "800:/100"]}
      - {name: calm, kind: step, metric: cpu, adjustment: percent, steps: [":500/-50"]}
)";
  EXPECT_EQ(
      problems_of(steps, "    instances: {min: 1, max: 8}\n")
          .find("f:8:5: warning: services.hello.policies: would swing for ever under constant load, cpu: at "
                "50 of 158 constant loads, the first that of 0.60 full instances: 1, 2, 1, …"),
      0U)
      << problems_of(steps, "    instances: {min: 1, max: 8}\n");
}

TEST(ConfigPolicies, NoPaceIsNeededWithoutStepAndTarget) {
  EXPECT_EQ(problems_of("    policies: [{kind: on_demand}]\n", "    warmup: 0\n    cooldown: 0\n"), "");
}

struct Case {
  std::string policies;
  const char* expected;  // how the only line of the problems begins
  const char* extra = "";
};

TEST(ConfigPolicies, EachProblemIsOneLineWithItsPlace) {
  const std::string step = "      - {kind: step, metric: cpu, steps: ";
  const Case kCases[] = {
      {"    policies: 7\n", "f:8:15: error: services.hello.policies: \"7\" is a single value; write a list"},
      {"    policies:\n      - 7\n",
       "f:9:9: error: services.hello.policies[0]: is a single value; write a map"},
      {"    policies:\n      - {name: a}\n",
       "f:9:9: error: services.hello.policies[0].kind: is missing; write one of step"},
      {"    policies:\n      - {kind: steps, metric: cpu, steps: [\"1:/1\"]}\n",
       "f:9:16: error: services.hello.policies[0].kind: \"steps\" is not known (did you mean \"step\"?)"},
      {"    policies:\n      - {kind: step, metric: in_fligth, steps: [\"1:/1\"]}\n",
       "f:9:30: error: services.hello.policies[0].metric: \"in_fligth\" is not known (did you mean "
       "\"in_flight\"?)"},
      {"    policies:\n      - {kind: step, metric: cpu, adjustment: absolut, steps: [\"1:/1\"]}\n",
       "f:9:47: error: services.hello.policies[0].adjustment: \"absolut\" is not known (did you mean "
       "\"absolute\"?)"},
      {"    policies:\n" + step + "[\"1:2\"]}\n",
       "f:9:43: error: services.hello.policies[0].steps[0]: \"1:2\" has no /; write LOWER:UPPER/ADJUSTMENT"},
      {"    policies:\n" + step + "[\"1:2/1\", \"3:4/1\"]}\n",
       "f:9:35: error: services.hello.policies[0].steps: the steps are not contiguous: a gap between 1:2 and "
       "3:4"},
      {"    policies:\n" + step + "[\"1:3/1\", \"2:4/1\"]}\n",
       "f:9:35: error: services.hello.policies[0].steps: the steps 1:3 and 2:4 overlap"},
      {"    policies:\n" + step + "[\"1:2/1\", \"2:3/1\", \"3:4/1\", \"4:5/1\", \"5:6/1\"]}\n",
       "f:9:79: error: services.hello.policies[0].steps: has 5 items, and 4 is the most"},
      {"    policies:\n" + step + "[[1]]}\n",
       "f:9:43: error: services.hello.policies[0].steps[0]: is a list"},
      {"    policies:\n      - {kind: step, metric: cpu}\n",
       "f:9:9: error: services.hello.policies[0].steps: is missing; the kind step needs it"},
      {"    policies:\n      - {kind: idle, metric: cpu}\n",
       "f:9:30: error: services.hello.policies[0].metric: means nothing to the kind idle; remove it"},
      {"    policies:\n      - {kind: target, metric: cpu, target: 0}\n",
       "f:9:45: error: services.hello.policies[0].target: 0 is no target"},
      {"    policies:\n      - kind: idle\n      - kind: idle\n",
       "f:10:9: error: services.hello.policies[1].name: \"idle\" is already the name of policies[0]"},
      {"    policies:\n      - {kind: idle, tempo: 3}\n",
       "f:9:22: error: services.hello.policies[0].tempo: unknown key"},
      {"    policies:\n" + step + "[\"1:/-200\"], adjustment: percent}\n",
       "f:9:43: error: services.hello.policies[0].steps[0]: the adjustment -200 of 1:/-200 is out of range"},
      {"    policies:\n" + step + "[\"1:/1\"]}\n", "f:10:13: error: services.hello.warmup: 9ms is too short",
       "    warmup: 9ms\n"},
  };
  for (const Case& each : kCases) {
    const std::string problems = problems_of(each.policies, each.extra);
    EXPECT_TRUE(problems.starts_with(each.expected)) << problems << "expected: " << each.expected;
    EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 1) << problems;
  }
}

}  // namespace
}  // namespace cheshire
