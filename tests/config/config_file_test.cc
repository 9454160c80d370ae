// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Whole configs that are fine, from text and from files.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <sstream>

#include "controlplane/config/config_values.h"
#include "controlplane/config/config_yaml.h"
#include "tests/support/temporary_directory.h"

namespace cheshire {
namespace {

constexpr const char* kLeast = R"(name: demo
nic: {device: net_null0}
images: {web: {kernel: grin.elf}}
services: {hello: {listen: "192.0.2.10:80", image: web}}
)";

Config loaded(const std::string& text) {
  const ConfigResult result = parse_config(text, "f", {.base_dir = "/etc/cheshire", .check_files = false});
  EXPECT_EQ(format_problems(result.problems), "");
  return result.config.value_or(Config{});
}

TEST(ConfigFile, WhatIsLeftOutHasItsDefault) {
  const Config config = loaded(kLeast);
  const Config defaults;
  EXPECT_EQ(config.name, "demo");
  EXPECT_EQ(config.runtime_dir, defaults.runtime_dir);
  EXPECT_EQ(config.held_syns_max, defaults.held_syns_max);
  EXPECT_EQ(config.eal.memory_bytes, defaults.eal.memory_bytes);
  EXPECT_EQ(config.worker.idle_timeout_ns, defaults.worker.idle_timeout_ns);
  ASSERT_EQ(config.images.size(), 1u);
  EXPECT_EQ(config.images[0].name, "web");
  EXPECT_EQ(config.images[0].kernel, "/etc/cheshire/grin.elf");
  ASSERT_EQ(config.services.size(), 1u);
  EXPECT_EQ(config.services[0].guest_ip, config.services[0].vip);
  EXPECT_EQ(config.services[0].guest_port, config.services[0].port);
  EXPECT_EQ(config.instances_most(), 1u);
}

TEST(ConfigFile, EveryKeyReachesItsPlace) {
  const Config config = loaded(R"(
name: all-keys
runtime_dir: /run/other
log_level: debug
held_syns_max: 5000
eal: {lcore: 1, memory: 64MiB, hugepages: false}
nic: {device: "0000:03:00.0", rx_descriptors: 256, tx_descriptors: 512}
worker: {flows_max: 70000, idle_sleep: 60us, handshake_timeout: 11s, idle_timeout: 1h, closing_timeout: 3s}
control: {tick: 70us}
images:
  first: {kernel: /a.elf}
  second: {kernel: ../b.elf, memory: 8MiB, command_line: "x={guest_ip}", driver: fake, accelerator: tcg}
services:
  unused: {listen: 192.0.2.1:1, image: first, instances: {max: 3}}
  hello:
    listen: 192.0.2.10:443
    guest: 10.0.0.2:8080
    image: second
    instances: {min: 2, max: 4}
    in_flight: {soft: 33}
    hold: {syns_max: 129, time_max: 4s}
    boot_deadline: 3.5s
    idle_after: 20s
    drain_deadline: 0
)");
  EXPECT_EQ(config.runtime_dir, "/run/other");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.held_syns_max, 5000u);
  EXPECT_EQ(config.eal.lcores, std::vector<uint32_t>{1});
  EXPECT_EQ(config.eal.memory_bytes, 64 * kMiB);
  EXPECT_FALSE(config.eal.hugepages);
  EXPECT_EQ(config.nic.device, "0000:03:00.0");
  EXPECT_EQ(config.nic.rx_descriptors, 256);
  EXPECT_EQ(config.nic.tx_descriptors, 512);
  EXPECT_EQ(config.worker.flows_max, 131072u);  // rounded up
  EXPECT_EQ(config.worker.idle_sleep_ns, 60 * kNsPerUs);
  EXPECT_EQ(config.worker.handshake_timeout_ns, 11 * kNsPerSecond);
  EXPECT_EQ(config.worker.idle_timeout_ns, 3600 * kNsPerSecond);
  EXPECT_EQ(config.worker.closing_timeout_ns, 3 * kNsPerSecond);
  EXPECT_EQ(config.control.tick_ns, 70 * kNsPerUs);
  EXPECT_EQ(config.instances_most(), 7u);
  const ImageConfig& image = config.images.at(config.services.at(1).image);
  EXPECT_EQ(image.name, "second");
  EXPECT_EQ(image.kernel, "/etc/b.elf");
  EXPECT_EQ(image.memory_bytes, 8 * kMiB);
  EXPECT_EQ(image.command_line, "x={guest_ip}");
  EXPECT_EQ(image.driver, DriverKind::kFake);
  EXPECT_EQ(image.accelerator, Accelerator::kTcg);
  const ServiceConfig& service = config.services[1];
  EXPECT_EQ(service.name, "hello");
  EXPECT_EQ(format_endpoint(service.vip, service.port), "192.0.2.10:443");
  EXPECT_EQ(format_endpoint(service.guest_ip, service.guest_port), "10.0.0.2:8080");
  EXPECT_EQ(service.instances_min, 2u);
  EXPECT_EQ(service.instances_max, 4u);
  EXPECT_EQ(service.in_flight_soft, 33u);
  EXPECT_EQ(service.hold_syns_max, 129u);
  EXPECT_EQ(service.hold_time_max_ns, 4 * kNsPerSecond);
  EXPECT_EQ(service.boot_deadline_ns, 3500 * kNsPerMs);
  EXPECT_EQ(service.idle_after_ns, 20 * kNsPerSecond);
  EXPECT_EQ(service.drain_deadline_ns, 0u);
}

TEST(ConfigFile, AListOfCpusMakesAWorkerOnEach) {
  const Config one = loaded(kLeast);
  EXPECT_EQ(one.eal.lcores, std::vector<uint32_t>{0});
  const Config three = loaded(R"(
name: demo
eal: {lcore: [2, 0, 2]}
worker: {idle_sleep: 50us}
nic: {device: net_null0}
images: {web: {kernel: grin.elf}}
services:
  a: {listen: "192.0.2.10:80", image: web}
  b: {listen: "192.0.2.10:81", image: web, worker: auto}
  c: {listen: "192.0.2.10:82", image: web, worker: 0}
  d: {listen: "192.0.2.10:83", image: web}
)");
  EXPECT_EQ(three.eal.lcores, (std::vector<uint32_t>{2, 0, 2}));
  ASSERT_EQ(three.services.size(), 4U);
  std::vector<uint16_t> owners;
  for (uint16_t index = 0; index < 4; ++index) owners.push_back(three.worker_of(ServiceIndex{index}));
  EXPECT_EQ(owners, (std::vector<uint16_t>{0, 1, 0, 0}));
}

TEST(ConfigFile, AGuestMayHaveTheVipOfAnotherService) {
  loaded(std::string(kLeast) + "");
  const Config config = loaded(R"(name: demo
nic: {device: net_null0}
images: {web: {kernel: a}}
services:
  a: {listen: "192.0.2.10:80", image: web}
  b: {listen: "192.0.2.10:81", guest: "192.0.2.10:80", image: web}
)");
  EXPECT_EQ(config.services.size(), 2u);
}

TEST(ConfigFile, AnchorsAndEmptyMapsWork) {
  const Config config = loaded(R"(name: demo
eal:
nic: {device: net_null0}
images: {web: {kernel: a}}
services:
  a: {listen: "192.0.2.10:80", image: web, instances: &size {min: 1, max: 2}}
  b: {listen: "192.0.2.10:81", image: web, instances: *size}
)");
  EXPECT_EQ(config.services.at(1).instances_max, 2u);
}

TEST(ConfigFile, RelativeImagesStartAtTheFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("etc/demo.yaml", kLeast);
  directory.write("etc/grin.elf", "\177ELF and more");
  const ConfigResult result = load_config(path);
  EXPECT_EQ(format_problems(result.problems), "");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->images[0].kernel, directory.path("etc/grin.elf"));
  std::ostringstream out;
  EXPECT_EQ(check_config_file(path, out), 0);
  EXPECT_EQ(out.str(), path + ": fine: images 1, services 1, instances at most 1\n");
}

TEST(ConfigFile, ImageFilesAreLookedAt) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("demo.yaml", kLeast);
  const auto problem = [&] { return format_problems(load_config(path).problems); };
  EXPECT_NE(problem().find(path + ":3:24: error: images.web.kernel: "), std::string::npos) << problem();
  EXPECT_NE(problem().find("No such file"), std::string::npos) << problem();
  ASSERT_EQ(::mkfifo(directory.path("grin.elf").c_str(), 0600), 0);
  EXPECT_NE(problem().find("not a regular file"), std::string::npos) << problem();
  std::filesystem::remove(directory.path("grin.elf"));
  directory.write("grin.elf", "EL");
  EXPECT_NE(problem().find("not an ELF file"), std::string::npos) << problem();
}

TEST(ConfigFile, AFileThatCannotBeReadIsAProblem) {
  const TemporaryDirectory directory;
  std::ostringstream out;
  EXPECT_EQ(check_config_file(directory.path("none.yaml"), out), 2);
  EXPECT_NE(out.str().find("none.yaml: error: cannot be read: No such file"), std::string::npos) << out.str();
  EXPECT_FALSE(load_config(directory.path()).ok());
  EXPECT_FALSE(load_config("").ok());
  const std::string large = directory.write("large.yaml", std::string((1 << 20) + 1, '#'));
  EXPECT_NE(format_problems(load_config(large).problems).find("1 MiB"), std::string::npos);
}

}  // namespace
}  // namespace cheshire
