// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/command_line.h"

#include <gtest/gtest.h>

#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

ServiceConfig service_at(const char* endpoint) {
  const Result<Endpoint> guest = parse_endpoint(endpoint);
  return ServiceConfig{.guest_ip = guest.value().ip, .guest_port = guest.value().port};
}

std::string expanded(const char* command_line, const char* endpoint = "10.0.0.2:8080") {
  return expand_command_line(ImageConfig{.command_line = command_line}, service_at(endpoint));
}

TEST(CommandLine, FillsInEveryPlaceholder) {
  EXPECT_EQ(expanded("a.ip={guest_ip} a.port={guest_port} a.gw={gateway_ip}"),
            "a.ip=10.0.0.2 a.port=8080 a.gw=10.0.0.1");
  EXPECT_EQ(expanded("{guest_ip}{guest_ip}"), "10.0.0.210.0.0.2");
  EXPECT_EQ(expanded(""), "");
  EXPECT_EQ(expanded("plain"), "plain");
}

TEST(CommandLine, GatewayIsNotTheGuest) {
  EXPECT_EQ(expanded("{gateway_ip}", "192.0.2.10:80"), "192.0.2.1");
  EXPECT_EQ(expanded("{gateway_ip}", "192.0.2.1:80"), "192.0.2.2");
}

TEST(CommandLine, DoubledBracesArePlain) {
  EXPECT_EQ(expanded("{{guest_ip}} {{{guest_port}}}"), "{guest_ip} {8080}");
  EXPECT_TRUE(check_command_line("{{x}} }").ok());
}

TEST(CommandLine, RefusesWhatIsNoPlaceholder) {
  EXPECT_NE(check_command_line("ip={guest_pi}").error().what.find("did you mean \"guest_ip\"?"),
            std::string::npos);
  EXPECT_NE(check_command_line("{}").error().what.find("{guest_ip}, {guest_port}, {gateway_ip}"),
            std::string::npos);
  EXPECT_NE(check_command_line("a {guest_ip").error().what.find("no closing brace"), std::string::npos);
  EXPECT_EQ(expanded("{other} {guest_ip"), "{other} {guest_ip");
}

}  // namespace
}  // namespace cheshire
