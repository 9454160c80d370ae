// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_yaml.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <ostream>

#include "controlplane/config/config_checks.h"
#include "controlplane/config/config_reader.h"
#include "controlplane/config/config_schema.h"
#include "controlplane/config/yaml_tree.h"
#include "handle.h"
#include "result.h"

namespace cheshire {
namespace {

Error unreadable(int error_number) {
  return Error{ErrorCode::kNotFound, std::string("cannot be read: ") + std::strerror(error_number) +
                                         "; correct the path or its rights"};
}

// One byte over the bound is enough to know that a file is too large.
Result<std::string> read_bounded(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return unreadable(errno);
  std::string text;
  std::array<char, 65536> chunk;
  while (text.size() <= kYamlBytesMax) {
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(errno);
    if (got == 0) break;
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  return text;
}

std::optional<Config> parse(std::string_view text, const ParseOptions& options, ProblemList& problems) {
  YamlTree tree;
  if (!tree.parse(text, problems)) return std::nullopt;
  ConfigDraft draft;
  KeyPlaces places;
  ConfigReader(problems, places).read(tree.root(), schema(draft));
  if (tree.root().kind != YamlNode::Kind::kMap) return std::nullopt;  // reported; the rest would be noise
  Config config = finish_config(std::move(draft), places,
                                {.base_dir = options.base_dir, .look = options.check_files}, problems);
  if (problems.has_error()) return std::nullopt;
  return config;
}

ConfigResult failure(const std::string& file_name, const std::string& message) {
  return ConfigResult{.config = {}, .problems = {ConfigProblem{.file = file_name, .message = message}}};
}

}  // namespace

ConfigResult parse_config(std::string_view text, const std::string& file_name, const ParseOptions& options) {
  try {
    ProblemList problems(file_name);
    ConfigResult result;
    result.config = parse(text, options, problems);
    result.problems = problems.take_sorted();
    return result;
  } catch (const std::exception& exception) {  // no memory; all else is caught where it is understood
    return failure(file_name, std::string("could not be read to the end: ") + exception.what());
  }
}

ConfigResult load_config(const std::string& path) {
  try {
    const Result<std::string> text = read_bounded(path);
    if (!text.ok()) return failure(path, text.error().what);
    std::error_code no_directory;
    const std::filesystem::path absolute = std::filesystem::absolute(path, no_directory);
    if (no_directory) return failure(path, "the working directory is gone; change to one that exists");
    return parse_config(text.value(), path,
                        {.base_dir = absolute.parent_path().string(), .check_files = true});
  } catch (const std::exception& exception) {
    return failure(path, std::string("could not be read to the end: ") + exception.what());
  }
}

std::string format_problems(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) text += format_problem(problem) + "\n";
  return text;
}

int check_config_file(const std::string& path, std::ostream& out) {
  const ConfigResult result = load_config(path);
  out << format_problems(result.problems);
  if (!result.ok()) return 2;
  out << path << ": fine: images " << result.config->images.size() << ", services "
      << result.config->services.size() << ", instances at most " << result.config->instances_most() << "\n";
  return 0;
}

}  // namespace cheshire
