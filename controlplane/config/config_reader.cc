// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/config_reader.h"

#include <algorithm>

#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

// "hold" of hold.time_max below the group "", "time_max" below the group "hold."
std::string_view component(std::string_view path, std::string_view group) {
  if (!path.starts_with(group)) return {};
  path.remove_prefix(group.size());
  return path.substr(0, path.find('.'));
}

bool is_group(const std::vector<Key>& keys, std::string_view group) {
  return std::any_of(keys.begin(), keys.end(), [&](const Key& key) { return key.path.starts_with(group); });
}

}  // namespace

ConfigPlace KeyPlaces::nearest(std::string path) const {
  while (true) {
    if (const auto found = places_.find(path); found != places_.end()) return found->second;
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos) return {.line = 1, .column = 1};
    path.resize(dot);
  }
}

// What stands in a map that could not be read is as bad as the map.
bool KeyPlaces::usable(std::string path) const {
  while (!bad_.contains(path)) {
    const size_t dot = path.rfind('.');
    if (dot == std::string::npos) return true;
    path.resize(dot);
  }
  return false;
}

void ConfigReader::read(const YamlNode& root, const std::vector<Key>& keys) {
  if (root.kind == YamlNode::Kind::kNull) {
    problems_.error({}, "", "the file says nothing; examples/cheshire.yaml is a config to start from");
    return;
  }
  if (!is_map(root, "", root.place)) return;
  read_section({.map = root, .prefix = "", .keys = keys, .group = ""});
  report_missing("", keys);
}

void ConfigReader::bad(ConfigPlace place, const std::string& path, std::string message) {
  problems_.error(place, path, std::move(message));
  places_.mark_bad(path);
}

// A null is a map without keys: `eal:` with every line below it commented out is fine.
bool ConfigReader::is_map(const YamlNode& node, const std::string& path, ConfigPlace place) {
  if (node.kind == YamlNode::Kind::kMap || node.kind == YamlNode::Kind::kNull) return true;
  bad(place, path, std::string("is ") + kind_words(node.kind) + "; write a map of keys, each as key: value");
  return false;
}

bool ConfigReader::usable_name(const YamlNode& name, const std::string& prefix,
                               std::unordered_map<std::string_view, ConfigPlace>& seen) {
  if (name.kind != YamlNode::Kind::kScalar) {
    const std::string where = prefix.empty() ? "" : prefix.substr(0, prefix.size() - 1);
    problems_.error(name.place, where, std::string("a key is ") + kind_words(name.kind) + "; write one word");
    return false;
  }
  if (name.text == "<<") {
    problems_.error(name.place, prefix + name.text,
                    "merge keys are not supported; write the keys out, or alias a whole map");
    return false;
  }
  const auto [first, fresh] = seen.emplace(name.text, name.place);
  if (fresh) return true;
  problems_.error(
      name.place, prefix + printable(name.text),
      "is given twice, first in line " + std::to_string(first->second.line) + "; remove or rename one");
  return false;
}

void ConfigReader::read_section(const Section& section) {
  std::unordered_map<std::string_view, ConfigPlace> seen;
  const std::vector<const YamlNode*>& items = section.map.items;
  for (size_t i = 0; i + 1 < items.size() && !problems_.full(); i += 2) {
    if (usable_name(*items[i], section.prefix, seen)) read_entry(section, *items[i], *items[i + 1]);
  }
}

void ConfigReader::read_entry(const Section& section, const YamlNode& name, const YamlNode& value) {
  const std::string in_schema = section.group + name.text;
  const std::string path = section.prefix + printable(name.text);
  const auto key = std::find_if(section.keys.begin(), section.keys.end(),
                                [&](const Key& candidate) { return candidate.path == in_schema; });
  const bool group = is_group(section.keys, in_schema + ".");
  // A dot in a key would reach into a group from outside of it.
  if ((key == section.keys.end() && !group) || name.text.find('.') != std::string::npos) {
    return report_unknown(section, path, name);
  }
  places_.note(path, value.kind == YamlNode::Kind::kScalar ? value.place : name.place);
  if (group) {
    if (!is_map(value, path, value.place)) return;
    return read_section({.map = value, .prefix = path + ".", .keys = section.keys, .group = in_schema + "."});
  }
  if (const auto* maps = std::get_if<NamedMapsValue>(&key->value)) return read_named_maps(*maps, path, value);
  const bool is_list =
      std::holds_alternative<MapListValue>(key->value) || std::holds_alternative<TextListValue>(key->value);
  if (is_list && value.kind == YamlNode::Kind::kList) return read_list(*key, path, value);
  read_scalar(*key, path, name, value);
}

void ConfigReader::read_list(const Key& key, const std::string& path, const YamlNode& list) {
  const auto* const maps = std::get_if<MapListValue>(&key.value);
  const auto* const texts = std::get_if<TextListValue>(&key.value);
  const size_t max = maps != nullptr ? maps->max : texts->max;
  if (list.items.size() > max) {
    return bad(list.items[max]->place, path,
               "has " + std::to_string(list.items.size()) + " items, and " + std::to_string(max) +
                   " is the most; remove some");
  }
  for (size_t i = 0; i < list.items.size() && !problems_.full(); ++i) {
    const YamlNode& item = *list.items[i];
    const std::string entry = path + "[" + std::to_string(i) + "]";
    places_.note(entry, item.place);
    if (texts != nullptr) {
      read_text_item(*texts, entry, item);
      continue;
    }
    const std::vector<Key> keys = maps->add();
    if (!is_map(item, entry, item.place)) continue;
    read_section({.map = item, .prefix = entry + ".", .keys = keys, .group = ""});
    report_missing(entry + ".", keys);
  }
}

void ConfigReader::read_text_item(const TextListValue& texts, const std::string& path, const YamlNode& item) {
  texts.into->push_back(item.text);
  if (item.kind == YamlNode::Kind::kScalar) return;
  bad(item.place, path, std::string("is ") + kind_words(item.kind) + "; the list is " + texts.form);
}

void ConfigReader::read_scalar(const Key& key, const std::string& path, const YamlNode& name,
                               const YamlNode& value) {
  if (value.kind == YamlNode::Kind::kNull) {
    return bad(name.place, path,
               "has no value; write " + range_words(key) + (key.required ? "" : ", or remove the key"));
  }
  if (value.kind != YamlNode::Kind::kScalar) {
    return bad(value.place, path,
               std::string("is ") + kind_words(value.kind) + "; write one value: " + range_words(key));
  }
  const Result<void> result = read_value(key, value.text);
  if (!result.ok()) bad(value.place, path, result.error().what);
}

void ConfigReader::read_named_maps(const NamedMapsValue& maps, const std::string& path,
                                   const YamlNode& list) {
  if (!is_map(list, path, list.place)) return;
  std::unordered_map<std::string_view, ConfigPlace> seen;
  for (size_t i = 0; i + 1 < list.items.size() && !problems_.full(); i += 2) {
    const YamlNode& name = *list.items[i];
    const YamlNode& value = *list.items[i + 1];
    if (!usable_name(name, path + ".", seen)) continue;
    const std::string entry = path + "." + printable(name.text);
    if (!is_name(name.text)) {
      bad(name.place, entry, in_quotes(name.text) + " is not a name; write 1 to 32 of a-z 0-9 and hyphen");
      continue;
    }
    if (seen.size() > maps.max) {
      return bad(name.place, path,
                 "more than " + std::to_string(maps.max) + " names; remove some, or start a second daemon");
    }
    places_.note(entry, name.place);
    const std::vector<Key> keys = maps.add(name.text);
    if (!is_map(value, entry, value.place)) continue;
    read_section({.map = value, .prefix = entry + ".", .keys = keys, .group = ""});
    report_missing(entry + ".", keys);
  }
}

void ConfigReader::report_unknown(const Section& section, const std::string& path, const YamlNode& name) {
  std::vector<std::string_view> words;
  std::string list;
  for (const Key& key : section.keys) {
    const std::string_view word = component(key.path, section.group);
    if (word.empty() || std::find(words.begin(), words.end(), word) != words.end()) continue;
    words.push_back(word);
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  if (std::any_of(section.keys.begin(), section.keys.end(),
                  [&](const Key& key) { return key.path == section.group + name.text; })) {
    problems_.error(name.place, path, "has a dot; write a map for each part, as in hold: {time_max: 3s}");
    return;
  }
  problems_.error(name.place, path,
                  "unknown key" + did_you_mean(name.text, words) + "; the keys here are " + list);
}

void ConfigReader::report_missing(const std::string& prefix, const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    const std::string path = prefix + std::string(key.path);
    if (!key.required || places_.given(path) || !places_.usable(path)) continue;
    bad(places_.nearest(path), path, "is missing; write " + range_words(key));
  }
}

}  // namespace cheshire
