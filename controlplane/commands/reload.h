// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A config file that was read again, put into the place of the one that runs: whole, or not at all. Pure.
//
// The data plane names services by their index for as long as one of their flows lives. So the result keeps
// every index that is in use: a service is the same one if it has the same name, or the same `listen` under a
// new name; what the file no longer has stays as `removed` until its last instance is gone; what is new takes
// an index that is free, or the next.
//
//   runs: 0 hello, 1 api        file: api, shop        result: 0 hello (removed), 1 api, 2 shop
//
// What was made at start stays as it was made: a change of those keys is an error that names each of them.
#pragma once

#include <cstdint>
#include <set>

#include "config.h"
#include "result.h"

namespace cheshire {

struct ReloadFacts {
  const Config& running;
  uint32_t slots = 0;            // made at start
  uint32_t services_made = 0;    // likewise
  std::set<DriverKind> drivers;  // started
  // Indexes of services that are gone, but which some worker may still count for.
  std::set<uint16_t> not_free_yet = {};
};

// The error has one line for each thing that cannot change.
[[nodiscard]] Result<Config> reloaded(const ReloadFacts& facts, const Config& file);

// "services +1 (shop) -1 (hello), 1 changed (api)", for a person.
[[nodiscard]] std::string describe_change(const Config& before, const Config& after);

// Whether an instance of the service that was booted by `before` is not what `after` would boot.
[[nodiscard]] bool boots_otherwise(const Config& before, const Config& after, ServiceIndex service);

}  // namespace cheshire
