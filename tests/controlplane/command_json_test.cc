// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Lines of the control socket: what they become, and what is said of those that are no command.
#include "controlplane/commands/command_json.h"

#include <gtest/gtest.h>

#include "tests/support/sentence.h"

namespace cheshire {
namespace {

ControlCommand command_of(const char* line) {
  const Result<ControlCommand> command = parse_command(line);
  EXPECT_TRUE(command.ok()) << command.error().what;
  return command.ok() ? command.value() : ControlCommand{};
}

TEST(CommandJson, EveryCommandIsRead) {
  EXPECT_EQ(command_of(R"({"command": "reload"})").kind, CommandKind::kReload);
  EXPECT_EQ(command_of(R"({"command": "drain", "instance": "hello/3/17"})").instance, "hello/3/17");
  EXPECT_EQ(command_of(R"({"command": "drain", "instance": "static_site/3/17"})").instance,
            "static-site/3/17")
      << "as telemetry writes it";
  EXPECT_EQ(command_of(R"({"command": "scale get", "service": "hello", "policy": "p"})").policy_name, "p");
  EXPECT_EQ(command_of(R"({"command": "scale reset", "service": "hello"})").kind, CommandKind::kScaleReset);
  EXPECT_EQ(command_of(R"({"command": "scale remove", "service": "hello", "policy": "p"})").policy_name, "p");
  const ControlCommand init = command_of(
      R"({"command": "scale init", "service": "hello", "min_size": 0, "max_size": 8, "cooldown": "1s"})");
  EXPECT_EQ(init.min_size, 0U);
  EXPECT_EQ(init.max_size, 8U);
  EXPECT_EQ(init.warmup_ns, std::nullopt);
  EXPECT_EQ(init.cooldown_ns, kNsPerSecond);
}

TEST(CommandJson, PoliciesAreReadAsInTheConfig) {
  const ControlCommand step = command_of(
      R"({"command": "scale add", "service": "hello", "name": "busy", "metric": "cpu",
          "adjustment": "percentage", "steps": ["800:/100", "600:800/50"]})");
  EXPECT_EQ(step.policy, (PolicyConfig{.name = "busy",
                                       .kind = PolicyKind::kStep,
                                       .metric = Metric::kCpu,
                                       .adjustment = Adjustment::kPercent,
                                       .steps = {{600, 800, 50}, {800, {}, 100}}}));
  const ControlCommand target = command_of(
      R"({"command": "scale add", "service": "hello", "name": "t", "type": "target",
          "metric": "queue_delay", "target": "2ms"})");
  EXPECT_EQ(target.policy.target, 2'000'000);
  EXPECT_EQ(
      command_of(R"({"command": "scale add", "service": "hello", "name": "i", "type": "idle"})").policy.kind,
      PolicyKind::kIdle);
}

struct Bad {
  const char* sentence;
  const char* line;
  const char* complaint;
};
void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.sentence;
}
class BadLine : public ::testing::TestWithParam<Bad> {};

TEST_P(BadLine, is_answered_with_the_reason) {
  const Result<ControlCommand> command = parse_command(GetParam().line);
  ASSERT_FALSE(command.ok());
  EXPECT_NE(command.error().what.find(GetParam().complaint), std::string::npos) << command.error().what;
}

#define ADD R"({"command": "scale add", "service": "s", "name": "n", )"
const Bad kBad[] = {
    {"nothing", "", "no JSON"},
    {"garbage", "\x01\xff{]", "no JSON"},
    {"half a line", R"({"command": "rel)", "no JSON"},
    {"a number", "7", "no JSON object"},
    {"a list", "[]", "no JSON object"},
    {"no command", "{}", "\"command\" is missing; write one of scale get"},
    {"a command of another kind", R"({"command": 7})", "\"command\" is missing"},
    {"an unknown command", R"({"command": "scale gte"})", "did you mean \"scale get\"?"},
    {"an unknown key", R"({"command": "drain", "instnace": "x"})", "did you mean \"instance\"?"},
    {"a key of another command", R"({"command": "reload", "service": "x"})", "it has none"},
    {"a key twice", R"({"command": "drain", "instance": "a", "instance": "b"})", "is there twice"},
    {"a missing key", R"({"command": "scale get"})", "\"service\" is missing"},
    {"a service that is a number", R"({"command": "scale get", "service": 1})", "service: is not text"},
    {"a size that is text", R"({"command": "scale init", "service": "s", "min_size": "1"})",
     "min_size: is not a whole number"},
    {"a negative size", R"({"command": "scale init", "service": "s", "min_size": -1})",
     "min_size: is not a whole number"},
    {"a size above all slots", R"({"command": "scale init", "service": "s", "max_size": 501})",
     "is above 500"},
    {"a duration without a unit", R"({"command": "scale init", "service": "s", "warmup": "10"})", "warmup: "},
    {"a duration beyond a day", R"({"command": "scale init", "service": "s", "warmup": "25h"})",
     "is longer than 24h"},
    {"a name with a blank", R"({"command": "scale add", "service": "s", "name": "a b", "type": "idle"})",
     "is no name"},
    {"an unknown type", ADD R"("type": "stpe"})", "did you mean \"step\"?"},
    {"an unknown metric", ADD R"("metric": "cpuu", "steps": ["1:/1"]})", "did you mean \"cpu\"?"},
    {"an unknown adjustment", ADD R"("metric": "cpu", "adjustment": "abs", "steps": ["1:/1"]})",
     "is no adjustment"},
    {"no steps", ADD R"("metric": "cpu"})", "steps: is missing; the type step needs it"},
    {"an empty list of steps", ADD R"("metric": "cpu", "steps": []})", "at least one step"},
    {"steps that are no list", ADD R"("metric": "cpu", "steps": "1:/1"})", "steps: is not a list"},
    {"a step that is no text", ADD R"("metric": "cpu", "steps": [1]})", "no text"},
    {"a bad step", ADD R"("metric": "cpu", "steps": ["1/1"]})", "has no :"},
    {"steps with a gap", ADD R"("metric": "cpu", "steps": ["1:2/1", "3:4/1"]})", "a gap between"},
    {"five steps", ADD R"("metric": "cpu", "steps": ["1:2/1", "2:3/1", "3:4/1", "4:5/1", "5:6/1"]})",
     "at most 4"},
    {"an adjustment out of range", ADD R"("metric": "cpu", "adjustment": "exact", "steps": ["1:/-1"]})",
     "out of range"},
    {"a target of a step policy", ADD R"("metric": "cpu", "steps": ["1:/1"], "target": 1})",
     "target: means nothing to the type step"},
    {"steps of an idle policy", ADD R"("type": "idle", "steps": ["1:/1"]})", "steps: means nothing"},
    {"a target of zero", ADD R"("type": "target", "metric": "cpu", "target": 0})", "0 is no target"},
};
#undef ADD
INSTANTIATE_TEST_SUITE_P(A, BadLine, ::testing::ValuesIn(kBad), test::kSentenceAsName);

// As deep as a line may be: neither reading nor forgetting it may follow with the stack.
TEST(CommandJson, DeepNestingIsOnlyWrong) {
  constexpr size_t kDepth = 30'000;
  const std::string deep = std::string(kDepth, '[') + std::string(kDepth, ']');
  EXPECT_FALSE(parse_command(deep).ok());
  EXPECT_FALSE(parse_command(std::string(2 * kDepth, '[')).ok());
  EXPECT_FALSE(parse_command(R"({"command": )" + deep + "}").ok());
  EXPECT_FALSE(parse_command(R"({"command": "reload", "x": )" + deep + "}").ok());
}

TEST(CommandJson, AnswersAreOneLine) {
  auto config = std::make_shared<Config>();
  config->services.push_back({.name = "hello", .instances_max = 4});
  const ControlCommand get{.kind = CommandKind::kScaleGet, .service = "hello", .policy_name = "idle"};
  EXPECT_EQ(format_answer(get, {.error = {}, .done = "d", .config = config}),
            R"({"ok":true,"done":"d","service":"hello","min_size":0,"max_size":4,"warmup":"10ms",)"
            R"("cooldown":"10ms","policies":[{"name":"idle","type":"idle"}]})");
  EXPECT_EQ(format_answer({}, {.error = {}, .done = "d", .config = {}}, "w"),
            R"({"ok":true,"done":"d","warning":"w"})");
  EXPECT_EQ(
      format_answer(get, {.error = Error{ErrorCode::kNotFound, "a\nb\"\xff"}, .done = {}, .config = {}}),
      "{\"ok\":false,\"error\":\"a\\nb\\\"\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace cheshire
