// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Configs that are not fine: every problem with its place, key and remedy. Each case is the good config below
// with one part replaced, and the line that must be printed.
#include <gtest/gtest.h>

#include "controlplane/config/config_yaml.h"

namespace cheshire {
namespace {

const std::string kGood = R"(name: demo
runtime_dir: /run/cheshire
nic: {device: net_null0}
images:
  web: {kernel: grin.elf, memory: 8MiB}
services:
  hello:
    listen: 192.0.2.10:80
    image: web
    instances: {min: 0, max: 4}
)";

std::string problems_of(const std::string& text) {
  const ConfigResult result = parse_config(text, "f", {.base_dir = "/", .check_files = false});
  EXPECT_EQ(result.ok(), format_problems(result.problems).find(": error: ") == std::string::npos);
  return format_problems(result.problems);
}

struct Case {
  const char* part;      // of the good config
  std::string instead;   // what stands there
  const char* expected;  // how one line of the problems begins
  bool alone = true;     // no other line
};

std::string replaced(const Case& test) {
  std::string text = kGood;
  const size_t at = text.find(test.part);
  EXPECT_NE(at, std::string::npos) << test.part;
  return text.replace(at, std::string(test.part).size(), test.instead);
}

void expect_all(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    const std::string problems = problems_of(replaced(test));
    EXPECT_NE(("\n" + problems).find(std::string("\n") + test.expected), std::string::npos)
        << "expected: " << test.expected << "\ngot: " << problems;
    if (!test.alone) continue;
    EXPECT_EQ(problems.find('\n'), problems.size() - 1) << "wanted one line, got:\n" << problems;
  }
}

TEST(ConfigProblems, TheGoodConfigHasNone) {
  EXPECT_EQ(problems_of(kGood), "");
}

TEST(ConfigProblems, UnknownKeys) {
  expect_all({
      {"runtime_dir", "runtime_dri",
       "f:2:1: error: runtime_dri: unknown key (did you mean \"runtime_dir\"?)"},
      {"min: 0", "mn: 0", "f:10:17: error: services.hello.instances.mn: unknown key (did you mean \"min\"?)"},
      {"kernel:", "colour: red, kernel:",
       "f:5:9: error: images.web.colour: unknown key; the keys here are kernel"},
      {"instances: {min: 0, max: 4}", "instances.max: 4",
       "f:10:5: error: services.hello.instances.max: has a dot"},
      {"  hello:", "  <<: {}\n  hello:", "f:7:3: error: services.<<: merge keys are not supported"},
      {"    image:", "    [a]: 1\n    image:",
       "f:9:5: error: services.hello: a key is a list; write one word"},
      {"    image:", "    ~: 1\n    image:",
       "f:9:5: error: services.hello: a key is nothing; write one word"},
  });
}

TEST(ConfigProblems, MissingKeys) {
  expect_all({
      {"name: demo\n", "", "f:1:1: error: name: is missing"},
      {"nic: {device: net_null0}\n", "", "f:1:1: error: nic.device: is missing"},
      {"device: net_null0", "rx_descriptors: 64", "f:3:1: error: nic.device: is missing"},
      {"kernel: grin.elf, ", "", "f:5:3: error: images.web.kernel: is missing"},
      {"    listen: 192.0.2.10:80\n", "", "f:7:3: error: services.hello.listen: is missing"},
      {"    image: web\n", "", "f:7:3: error: services.hello.image: is missing", false},
      {"  web: {kernel: grin.elf, memory: 8MiB}\n", "", "f:4:1: error: images: has no usable entry", false},
  });
  EXPECT_NE(problems_of("name: demo\n").find("f:1:1: error: services: is missing"), std::string::npos);
  EXPECT_NE(problems_of("").find("f: error: the file says nothing"), std::string::npos);
}

TEST(ConfigProblems, WrongTypes) {
  expect_all({
      {"{device: net_null0}", "[net_null0]", "f:3:6: error: nic: is a list; write a map of keys"},
      {"{device: net_null0}", "net_null0", "f:3:6: error: nic: is a single value; write a map of keys"},
      {"name: demo", "name: [demo]", "f:1:7: error: name: is a list; write one value"},
      {"name: demo", "name: {a: b}", "f:1:7: error: name: is a map of keys; write one value"},
      {"name: demo", "name:", "f:1:1: error: name: has no value"},
      {"{kernel: grin.elf, memory: 8MiB}", "grin.elf", "f:5:8: error: images.web: is a single value"},
      {"{min: 0, max: 4}", "4", "f:10:16: error: services.hello.instances: is a single value"},
  });
  EXPECT_NE(problems_of("- a\n").find("f:1:1: error: is a list"), std::string::npos);
}

TEST(ConfigProblems, ValuesOutOfRangeStateTheRange) {
  expect_all({
      {"memory: 8MiB", "memory: 8", "f:5:35: error: images.web.memory: \"8\" has no unit"},
      {"memory: 8MiB", "memory: 7MiB",
       "f:5:35: error: images.web.memory: 7MiB is not a multiple of 2MiB; write 6MiB or 8MiB"},
      {"memory: 8MiB", "memory: 0",
       "f:5:35: error: images.web.memory: \"0\" is out of range; write 2MiB to 64GiB"},
      {"max: 4", "max: 501",
       "f:10:30: error: services.hello.instances.max: \"501\" is out of range; write 1 to 500"},
      {"max: 4", "max: -1", "f:10:30: error: services.hello.instances.max: \"-1\" is not a number"},
      {"device: net_null0", "device: net_null0, rx_descriptors: 1000",
       "f:3:42: error: nic.rx_descriptors: 1000 is not a power of two; write 512 or 1024"},
      {"name: demo", "name: Demo", "f:1:7: error: name: \"Demo\" does not fit; write a-z 0-9"},
      {"name: demo", "name: demo\nlog_level: inf",
       "f:2:12: error: log_level: \"inf\" is not known (did you mean \"info\"?)"},
      {"name: demo", "name: demo\neal: {hugepages: yes}",
       "f:2:18: error: eal.hugepages: \"yes\" is neither yes nor no"},
      {"name: demo", "name: demo\nworker: {idle_sleep: 50}",
       "f:2:22: error: worker.idle_sleep: \"50\" has no unit"},
      {"name: demo", "name: demo\nworker: {idle_sleep: 1s}",
       "f:2:22: error: worker.idle_sleep: \"1s\" is out of range; write 0, or 1us to 10ms"},
      {"/run/cheshire", "run/cheshire",
       "f:2:14: error: runtime_dir: \"run/cheshire\" does not fit; write an absolute path"},
      {"device: net_null0", "device: \"net_null0\\n\"",
       "f:3:15: error: nic.device: \"net_null0\\x0a\" has a control character"},
      {"device: net_null0", "device: \"\"", "f:3:15: error: nic.device: is empty"},
      {"192.0.2.10:80", "224.0.0.1:80",
       "f:8:13: error: services.hello.listen: 224.0.0.1 is a multicast address"},
      {"192.0.2.10:80", "192.0.2.10:0", "f:8:13: error: services.hello.listen: port 0 is out of range"},
      {"hello:", "Hello:", "f:7:3: error: services.Hello: \"Hello\" is not a name", false},
  });
}

TEST(ConfigProblems, Duplicates) {
  expect_all({
      {"name: demo", "name: demo\nname: other", "f:2:1: error: name: is given twice, first in line 1"},
      {"min: 0, ", "min: 0, min: 1, ", "f:10:25: error: services.hello.instances.min: is given twice"},
      {"services:", "  web: {kernel: b}\nservices:",
       "f:6:3: error: images.web: is given twice, first in line 5"},
  });
}

TEST(ConfigProblems, ChecksOverSeveralKeys) {
  const std::string second = "\n  other: {image: web, ";
  expect_all({
      {"image: web", "image: wbe",
       "f:9:12: error: services.hello.image: there is no image \"wbe\" (did you mean \"web\"?)", false},
      {"min: 0", "min: 5", "f:10:22: error: services.hello.instances.min: 5 is more than instances.max, 4"},
      {"services:", "services:" + second + "listen: 192.0.2.10:80}",
       "f:9:13: error: services.hello.listen: 192.0.2.10:80 is already services.other.listen (line 7)"},
      {"services:", "services:" + second + "listen: 192.0.2.10:81, instances: {max: 500}}",
       "f:6:1: error: services: instances.max over all services is 504"},
      {"services:", "  old: {kernel: b}\nservices:",
       "f:6:3: warning: images.old: no service uses this image"},
      {"memory: 8MiB", "command_line: \"{ip}\"",
       "f:5:41: error: images.web.command_line: there is no placeholder \"ip\""},
      {"192.0.2.10:80", "192.0.2.255:80",
       "f:8:13: error: services.hello.listen: 192.0.2.255 is the network or broadcast"},
      {"image: web", "image: web\n    guest: 10.0.0.0:80",
       "f:10:12: error: services.hello.guest: 10.0.0.0 is the network"},
      {"image: web", "image: web\n    in_flight: {soft: 100000}",
       "f:10:23: error: services.hello.in_flight.soft: 100000 is more than worker.flows_max, 65536"},
      {"image: web", "image: web\n    in_flight: {soft: 9, hard: 8}",
       "f:10:23: error: services.hello.in_flight.soft: 9 is more than in_flight.hard, 8"},
      {"image: web", "image: web\n    in_flight: {hard: many}",
       "f:10:23: error: services.hello.in_flight.hard:"},
      {"192.0.2.10:80", "192.0.2.10:443\n    overload: {action: http503}",
       "f:9:24: error: services.hello.overload.action: http503 answers in plain HTTP, and port 443 is for "
       "TLS"},
      {"image: web", "image: web\n    overload: {retry_after: 2s}",
       "f:10:29: warning: services.hello.overload.retry_after: has no effect: only overload.action http503"},
      {"image: web", "image: web\n    hold: {time_max: 1s}",
       "f:10:22: warning: services.hello.hold.time_max: hold.time_max, 1s, is shorter"},
      {"image: web", "image: web\n    hold: {syns_max: 5000}",
       "f:10:22: warning: services.hello.hold.syns_max: 5000 is more than held_syns_max, 4096"},
  });
}

TEST(ConfigProblems, Workers) {
  const std::string nine = "0, 1, 2, 3, 4, 5, 6, 7, 8";
  expect_all({
      {"nic:", "eal: {lcore: []}\nnic:", "f:3:7: error: eal.lcore: is empty; write the CPU of each worker"},
      {"nic:", "eal: {lcore: [0, first]}\nnic:",
       "f:3:18: error: eal.lcore[1]: \"first\" is no CPU; write a number from 0 to 1023"},
      {"nic:", "eal: {lcore: 1024}\nnic:",
       "f:3:14: error: eal.lcore: \"1024\" is no CPU; write a number from 0 to 1023"},
      {"nic:", "eal: {lcore: {a: 1}}\nnic:",
       "f:3:14: error: eal.lcore: is a map of keys; write one value: a CPU, or a list"},
      {"nic:", "eal: {lcore: [" + nine + ", " + nine + "]}\nnic:",
       "f:3:63: error: eal.lcore: has 18 items, and 16 is the most"},
      {"nic:", "eal: {lcore: [0, 1, 1]}\nnic:",
       "f:3:7: warning: eal.lcore: several workers share a CPU, and none of them ever sleeps"},
      {"image: web", "image: web\n    worker: 1",
       "f:10:13: error: services.hello.worker: there is no worker 1: eal.lcore makes 1, numbered from 0"},
      {"image: web", "image: web\n    worker: 16",
       "f:10:13: error: services.hello.worker: \"16\" is out of range; write 0 to 15, or auto"},
  });
}

TEST(ConfigProblems, SocketPathsFit) {
  // "/demo/slot-499.sock" has 19 bytes of the 107.
  const auto with_directory = [](size_t bytes) {
    return problems_of(replaced({"/run/cheshire", "/" + std::string(bytes - 1, 'd'), ""}));
  };
  EXPECT_EQ(with_directory(107 - 19), "");
  EXPECT_NE(with_directory(107 - 18).find("f:2:14: error: runtime_dir: is 1 bytes too long"),
            std::string::npos)
      << with_directory(107 - 18);
}

TEST(ConfigProblems, AllAreReportedAtOnceInTheOrderOfTheFile) {
  const std::string problems =
      problems_of("nam: x\nnic: {device: 5, rx_descriptors: 3}\nimages: 4\nservices: {A: {}, b: }\n");
  size_t from = 0;
  for (const char* line : {"f:1:1: error: nam:", "f:1:1: error: name:", "f:2:34: error: nic.rx_descriptors:",
                           "f:3:9: error: images:", "f:4:12: error: services.A:",
                           "f:4:19: error: services.b.listen:", "f:4:19: error: services.b.image:"}) {
    const size_t at = problems.find(line, from);
    ASSERT_NE(at, std::string::npos) << line << " in\n" << problems;
    from = at;
  }
}

TEST(ConfigProblems, TheirNumberIsBounded) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "key" + std::to_string(i) + ": 1\n";
  const ConfigResult result = parse_config(text, "f", {.base_dir = "/", .check_files = false});
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.problems.size(), ProblemList::kProblemsMax + 1);
  EXPECT_NE(result.problems.back().message.find("more problems"), std::string::npos);
}

TEST(ConfigProblems, TheNumberOfServicesIsBounded) {
  std::string text = "name: demo\nnic: {device: d}\nimages: {web: {kernel: k}}\nservices:\n";
  for (int i = 0; i <= 1000; ++i) {
    text +=
        "  s" + std::to_string(i) + ": {image: web, listen: \"10.0.0.1:" + std::to_string(i + 1) + "\"}\n";
  }
  EXPECT_NE(problems_of(text).find("f:1005:3: error: services: more than 1000 names"), std::string::npos)
      << problems_of(text);
}

}  // namespace
}  // namespace cheshire
