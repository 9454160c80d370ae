// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The schema, docs/config.md and examples/cheshire.yaml say the same.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "controlplane/config/config_schema.h"
#include "controlplane/config/config_yaml.h"
#include "controlplane/config/yaml_tree.h"

namespace cheshire {
namespace {

std::string read_source(const std::string& path) {
  std::ifstream file(std::string(CHESHIRE_SOURCE_DIR) + "/" + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Row {
  std::string path;
  std::string text;  // how its row in docs/config.md begins
  bool named_maps;
};

void collect_rows(const std::vector<Key>& keys, const std::string& prefix, std::vector<Row>& rows) {
  for (const Key& key : keys) {
    const std::string path = prefix + std::string(key.path);
    const auto* const maps = std::get_if<NamedMapsValue>(&key.value);
    rows.push_back({path, "| `" + path + "` | " + range_words(key) + " | " + default_words(key) + " | ",
                    maps != nullptr});
    if (maps != nullptr) collect_rows(maps->add("NAME"), path + ".NAME.", rows);
    if (const auto* const list = std::get_if<MapListValue>(&key.value)) {
      collect_rows(list->add(), path + "[].", rows);
    }
  }
}

std::vector<Row> schema_rows() {
  ConfigDraft draft;
  std::vector<Row> rows;
  collect_rows(schema(draft), "", rows);
  return rows;
}

// Every path of the file, with the names of images and services replaced by NAME.
void collect_paths(const YamlNode& map, const std::string& prefix, std::set<std::string>& paths) {
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    const bool is_name = prefix == "images." || prefix == "services.";
    const std::string path = prefix + (is_name ? "NAME" : map.items[i]->text);
    paths.insert(path);
    const YamlNode& value = *map.items[i + 1];
    if (value.kind == YamlNode::Kind::kMap) collect_paths(value, path + ".", paths);
    if (value.kind != YamlNode::Kind::kList) continue;
    for (const YamlNode* item : value.items) {
      if (item->kind == YamlNode::Kind::kMap) collect_paths(*item, path + "[].", paths);
    }
  }
}

TEST(ConfigDocs, EveryKeyHasItsRowWithRangeAndDefault) {
  const std::string docs = read_source("docs/config.md");
  ASSERT_FALSE(docs.empty());
  for (const Row& row : schema_rows()) {
    EXPECT_NE(docs.find("\n" + row.text), std::string::npos) << "docs/config.md wants a row: " << row.text;
  }
}

TEST(ConfigDocs, NoRowIsOfAKeyThatIsGone) {
  std::set<std::string> known;
  for (const Row& row : schema_rows()) known.insert(row.path);
  std::istringstream docs(read_source("docs/config.md"));
  bool in_key_table = false;
  for (std::string line; std::getline(docs, line);) {
    if (line.starts_with("| key |")) in_key_table = true;
    if (line.empty()) in_key_table = false;
    if (!in_key_table || !line.starts_with("| `")) continue;
    EXPECT_TRUE(known.contains(line.substr(3, line.find('`', 3) - 3))) << line;
  }
}

TEST(ConfigDocs, TheExampleHasEveryKey) {
  ProblemList problems("example");
  YamlTree tree;
  ASSERT_TRUE(tree.parse(read_source("examples/cheshire.yaml"), problems));
  std::set<std::string> paths;
  collect_paths(tree.root(), "", paths);
  for (const Row& row : schema_rows()) EXPECT_TRUE(paths.contains(row.path)) << row.path;
}

TEST(ConfigDocs, TheExampleLoadsWithoutAProblem) {
  const ConfigResult result = parse_config(read_source("examples/cheshire.yaml"), "examples/cheshire.yaml",
                                           {.base_dir = "/source/examples", .check_files = false});
  EXPECT_EQ(format_problems(result.problems), "");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->images[0].kernel, "/source/build/unikernel/grin.elf");
}

TEST(ConfigDocs, TheLeastConfigOfTheDocsLoads) {
  const std::string docs = read_source("docs/config.md");
  const size_t begin = docs.find("```yaml\n") + 8;
  const std::string least = docs.substr(begin, docs.find("```", begin) - begin);
  const ConfigResult result = parse_config(least, "least.yaml", {.base_dir = "/", .check_files = false});
  EXPECT_EQ(format_problems(result.problems), "");
  EXPECT_TRUE(result.ok());
}

}  // namespace
}  // namespace cheshire
