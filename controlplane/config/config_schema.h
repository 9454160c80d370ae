// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Every key of the config file, its kind, range and place in Config, in one table (config_schema.cc).
//
// A schema is a list of keys bound to one draft: reading a key writes through its pointer, and what the
// pointer holds before is the default. `hold.time_max` is the key time_max of the map hold. A key of named
// maps (images, services) makes one more entry of the draft for each name, and hands out the keys of that
// entry: images.web.kernel. A key of listed maps (policies) does so for each item: policies[0].kind.
//
// To add a key: a field in include/config.h, a line in the table, a row in docs/config.md, a line in
// examples/cheshire.yaml. tests/config fails until all four agree.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config.h"
#include "result.h"

namespace cheshire {

// The config while it is being read: names that refer to something are not resolved yet.
struct PolicyDraft {
  PolicyConfig config;
  std::string target;              // in the metric's unit
  std::vector<std::string> steps;  // LOWER:UPPER/ADJUSTMENT
};
struct ServiceDraft {
  ServiceConfig config;
  std::string image_name;
  std::deque<PolicyDraft> policies;  // stable addresses
};
struct ConfigDraft {
  Config config;  // without images, services and lcores
  std::vector<std::string> lcores;
  std::deque<ImageConfig> images;  // stable addresses: the keys point into them
  std::deque<ServiceDraft> services;
};

struct TextValue {
  std::string* into;
  size_t bytes_min;
  size_t bytes_max;
  const char* form;                               // for docs and messages: "an absolute path"
  bool (*fits)(std::string_view text) = nullptr;  // the form as a test; printable text always
};
struct CountValue {
  std::variant<uint16_t*, uint32_t*> into;
  uint64_t min;
  uint64_t max;
  enum class Powers { kAny, kRequired, kRoundUp } powers = Powers::kAny;
  std::vector<std::pair<std::string_view, uint32_t>> words = {};  // that may stand in place of a number
};
struct DurationValue {
  uint64_t* into_ns;
  uint64_t min_ns;
  uint64_t max_ns;
  bool or_zero = false;  // 0 is allowed besides the range
};
struct SizeValue {
  uint64_t* into_bytes;
  uint64_t min_bytes;
  uint64_t max_bytes;
  uint64_t multiple_of;
};
struct FlagValue {
  bool* into;
};
struct ChoiceValue {
  std::vector<std::string_view> words;
  std::function<void(size_t)> choose;  // the word's position
  size_t chosen;                       // the default's
};
struct EndpointValue {
  be32* ip;
  be16* port;
};
struct Key;
struct TextListValue {
  std::vector<std::string>* into;
  size_t max;
  const char* form;     // of the whole list
  bool or_one = false;  // a single value is a list of one
};
struct MapListValue {
  size_t max;
  std::function<std::vector<Key>()> add;  // called at most max times
};
struct NamedMapsValue {
  size_t max;
  std::function<std::vector<Key>(const std::string& name)> add;  // called at most max times
};

struct Key {
  std::string_view path;
  std::variant<TextValue, CountValue, DurationValue, SizeValue, FlagValue, ChoiceValue, EndpointValue,
               TextListValue, MapListValue, NamedMapsValue>
      value;
  bool required = false;
  const char* default_words = nullptr;  // where the default is no constant
};

// The draft must outlive the keys and stay where it is.
[[nodiscard]] std::vector<Key> schema(ConfigDraft& draft);

// Writes one scalar through a key. The error's sentence states the range.
[[nodiscard]] Result<void> read_value(const Key& key, const std::string& text);

// For docs/config.md and its test: "1ms to 60s", "3s" (or "required").
[[nodiscard]] std::string range_words(const Key& key);
[[nodiscard]] std::string default_words(const Key& key);

}  // namespace cheshire
