// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// What is wrong with a config file, and where. All problems are collected before any is shown.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace cheshire {

// Line and column as an editor shows them, from 1; line 0 is the file as a whole.
struct ConfigPlace {
  int line = 0;
  int column = 0;
};

// A warning is shown and does not keep the daemon from starting.
enum class Severity { kError, kWarning };

struct ConfigProblem {
  Severity severity = Severity::kError;
  std::string file;
  ConfigPlace place;
  std::string key;      // path such as services.hello.hold.time_max; empty for the file as a whole
  std::string message;  // what is wrong, and what to write instead
};

// file:line:column: error: key: message
[[nodiscard]] std::string format_problem(const ConfigProblem& problem);

// Collects problems of one file, at most kProblemsMax of them; the rest is only counted, so that a hostile
// file cannot fill the memory with complaints.
class ProblemList {
 public:
  static constexpr size_t kProblemsMax = 100;

  explicit ProblemList(std::string file) : file_(std::move(file)) {}

  void error(ConfigPlace place, std::string key, std::string message) {
    has_error_ = true;
    add(Severity::kError, place, std::move(key), std::move(message));
  }
  void warning(ConfigPlace place, std::string key, std::string message) {
    add(Severity::kWarning, place, std::move(key), std::move(message));
  }

  [[nodiscard]] bool has_error() const { return has_error_; }
  // Full: whoever loops over outside input may stop.
  [[nodiscard]] bool full() const { return problems_.size() >= kProblemsMax; }
  // In the order of the file, with a closing line if some were left out.
  [[nodiscard]] std::vector<ConfigProblem> take_sorted();

 private:
  void add(Severity severity, ConfigPlace place, std::string key, std::string message);

  std::string file_;
  std::vector<ConfigProblem> problems_;
  size_t left_out_ = 0;
  bool has_error_ = false;
};

}  // namespace cheshire
