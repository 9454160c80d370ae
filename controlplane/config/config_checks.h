// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The checks that need more than one key: names that refer to something, overlaps, sums, and keys whose
// values do not make sense together. Resolves what the draft left open.
#pragma once

#include <string>

#include "config.h"
#include "controlplane/config/config_reader.h"

namespace cheshire {

struct FileChecks {
  std::string base_dir;  // relative image paths start here
  bool look = true;      // false: no file is opened
};

// config_policies.cc: the policies of the service at `path`, into draft.config.
void check_policies(ServiceDraft& draft, const std::string& path, const KeyPlaces& places,
                    ProblemList& problems);

// The finished config. It is meaningful only if no error was added.
[[nodiscard]] Config finish_config(ConfigDraft draft, const KeyPlaces& places, const FileChecks& files,
                                   ProblemList& problems);

}  // namespace cheshire
