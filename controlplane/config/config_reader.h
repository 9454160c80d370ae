// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Walks a YAML tree along the schema: every key is read into its place, and what does not fit is reported.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "controlplane/config/config_problem.h"
#include "controlplane/config/config_schema.h"
#include "controlplane/config/yaml_tree.h"

namespace cheshire {

// Where each key of the file stands (a single value at the value, a map at its key), and whether it could be
// used.
class KeyPlaces {
 public:
  void note(const std::string& path, ConfigPlace place) { places_.emplace(path, place); }
  void mark_bad(const std::string& path) { bad_.insert(path); }

  [[nodiscard]] bool given(const std::string& path) const { return places_.contains(path); }
  // Holds a value to reason about: the file's or the default. A check on a bad value would only complain
  // twice.
  [[nodiscard]] bool usable(std::string path) const;
  // The place of the key, or of the nearest map around it that is in the file.
  [[nodiscard]] ConfigPlace nearest(std::string path) const;

 private:
  std::unordered_map<std::string, ConfigPlace> places_;
  std::unordered_set<std::string> bad_;  // missing though required, or not understood
};

class ConfigReader {
 public:
  ConfigReader(ProblemList& problems, KeyPlaces& places) : problems_(problems), places_(places) {}

  void read(const YamlNode& root, const std::vector<Key>& keys);

 private:
  // One map of the file. `prefix` is its full path with a dot at the end, or empty; `keys` are the keys of
  // its schema, and `group` is the part of their paths that lies above this map ("hold." in hold.time_max).
  struct Section {
    const YamlNode& map;
    std::string prefix;
    const std::vector<Key>& keys;
    std::string group;
  };

  void read_section(const Section& section);
  void read_entry(const Section& section, const YamlNode& name, const YamlNode& value);
  void read_scalar(const Key& key, const std::string& path, const YamlNode& name, const YamlNode& value);
  void read_list(const Key& key, const std::string& path, const YamlNode& list);
  void read_text_item(const TextListValue& texts, const std::string& path, const YamlNode& item);
  void read_named_maps(const NamedMapsValue& maps, const std::string& path, const YamlNode& list);
  void report_unknown(const Section& section, const std::string& path, const YamlNode& name);
  void report_missing(const std::string& prefix, const std::vector<Key>& keys);
  [[nodiscard]] bool is_map(const YamlNode& node, const std::string& path, ConfigPlace place);
  [[nodiscard]] bool usable_name(const YamlNode& name, const std::string& prefix,
                                 std::unordered_map<std::string_view, ConfigPlace>& seen);
  void bad(ConfigPlace place, const std::string& path, std::string message);

  ProblemList& problems_;
  KeyPlaces& places_;
};

}  // namespace cheshire
