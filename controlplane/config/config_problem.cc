// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_problem.h"

#include <tuple>

namespace cheshire {

std::string format_problem(const ConfigProblem& problem) {
  std::string line = problem.file;
  if (problem.place.line > 0) {
    line += ":" + std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column);
  }
  line += problem.severity == Severity::kError ? ": error: " : ": warning: ";
  if (!problem.key.empty()) line += problem.key + ": ";
  return line + problem.message;
}

void ProblemList::add(Severity severity, ConfigPlace place, std::string key, std::string message) {
  if (full()) {
    ++left_out_;
    return;
  }
  problems_.push_back(ConfigProblem{.severity = severity,
                                    .file = file_,
                                    .place = place,
                                    .key = std::move(key),
                                    .message = std::move(message)});
}

std::vector<ConfigProblem> ProblemList::take_sorted() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const ConfigProblem& a, const ConfigProblem& b) {
    return std::tie(a.place.line, a.place.column) < std::tie(b.place.line, b.place.column);
  });
  if (left_out_ > 0) {
    problems_.push_back(ConfigProblem{
        .severity = has_error_ ? Severity::kError : Severity::kWarning,
        .file = file_,
        .place = {},
        .key = "",
        .message = "at least " + std::to_string(left_out_) + " more problems; mend these first"});
    left_out_ = 0;
  }
  return std::move(problems_);
}

}  // namespace cheshire
