// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Any bytes as a config file: a config or problems, never a crash, and never one with the other.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "controlplane/config/config_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const cheshire::ConfigResult result =
      cheshire::parse_config(text, "fuzz.yaml", {.base_dir = "/fuzz", .check_files = false});
  bool has_error = false;
  for (const cheshire::ConfigProblem& problem : result.problems) {
    has_error |= problem.severity == cheshire::Severity::kError;
    CHECK(!problem.message.empty());
    CHECK(cheshire::format_problem(problem).find_first_of("\n\r\033") == std::string::npos);
  }
  CHECK(result.ok() != has_error);
  if (!result.ok()) return 0;
  // What a caller relies on without a look of its own.
  CHECK(!result.config->name.empty() && !result.config->images.empty() && !result.config->services.empty());
  CHECK(result.config->slots() >= 1 && result.config->slots() <= cheshire::kSlotsMax);
  for (const cheshire::ServiceConfig& service : result.config->services) {
    CHECK(service.image < result.config->images.size());
    CHECK(service.port.value() != 0 && service.guest_port.value() != 0 && service.vip.value() != 0);
    CHECK(service.instances_min <= service.instances_max);
    const cheshire::ImageConfig& image = result.config->images[service.image];
    (void)cheshire::expand_command_line(image, service);
  }
  return 0;
}
