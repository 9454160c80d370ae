// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "hypervisor/process/process_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>

#include "units.h"

namespace cheshire {
namespace {

template <size_t kSize>
std::string_view read_whole(const UniqueFd& file, std::array<char, kSize>& buffer) {
  const ssize_t size = ::pread(file.get(), buffer.data(), buffer.size(), 0);
  return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

std::optional<uint64_t> number_at(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end != text.data() ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> kib_of(std::string_view text, std::string_view key) {
  const size_t at = text.find(key);
  return at == std::string_view::npos ? std::nullopt : number_at(text.substr(at + key.size()));
}

}  // namespace

ProcessUsage::ProcessUsage(pid_t pid, pid_t tid) {
  const std::string process = "/proc/" + std::to_string(pid);
  const std::string thread = process + "/task/" + std::to_string(tid) + "/schedstat";
  schedstat_.reset(::open(thread.c_str(), O_RDONLY | O_CLOEXEC));
  status_.reset(::open((process + "/status").c_str(), O_RDONLY | O_CLOEXEC));
}

std::optional<uint64_t> ProcessUsage::cpu_ns() const {
  std::array<char, 128> buffer;
  return parse_schedstat(read_whole(schedstat_, buffer));
}

std::optional<uint64_t> ProcessUsage::memory_bytes() const {
  std::array<char, 4096> buffer;
  return parse_status_memory(read_whole(status_, buffer));
}

std::optional<uint64_t> parse_schedstat(std::string_view text) {
  return number_at(text);
}

std::optional<uint64_t> parse_status_memory(std::string_view text) {
  const auto anonymous = kib_of(text, "RssAnon:");
  const auto shared = kib_of(text, "RssShmem:");
  if (!anonymous || !shared) return std::nullopt;
  return (*anonymous + *shared) * kKiB;
}

}  // namespace cheshire
