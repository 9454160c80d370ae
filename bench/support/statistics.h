// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What benchmarks make of their samples. Pure.
#pragma once

#include <vector>

namespace cheshire {

[[nodiscard]] double median(std::vector<double> values);
// (largest - smallest) / median
[[nodiscard]] double spread(const std::vector<double>& values);

}  // namespace cheshire
