// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// A YAML file as a small bounded tree, with the place of every node.
//
// yaml-cpp's own Node keeps one of two equal keys in silence, follows nesting as deep as the stack goes, and
// lets aliases multiply. So its parser is used for its events only: the tree is built here, keys stay in the
// order of the file with all duplicates, an alias shares the node it names, and three bounds hold: bytes,
// depth, and nodes counted as if every alias were written out. What the reader walks is bounded with them.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/config/config_problem.h"

namespace cheshire {

inline constexpr size_t kYamlBytesMax = size_t{1} << 20;
inline constexpr size_t kYamlDepthMax = 16;
inline constexpr size_t kYamlNodesMax = 100'000;  // 1,000 services with every key written are 40,000

struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  ConfigPlace place;
  std::string text;                    // of a scalar
  std::vector<const YamlNode*> items;  // of a list; of a map: key, value, key, value …
  size_t nodes = 1;                    // this one and all below it, aliases written out
  bool open = false;                   // while it is being read: an alias to it would be a circle
};

// What a node is, for messages: "a list".
[[nodiscard]] const char* kind_words(YamlNode::Kind kind);

class YamlTree {
 public:
  // Reads one document. false, with the problem added, when the text is no YAML or over a bound. Never throws
  // but for lack of memory.
  [[nodiscard]] bool parse(std::string_view text, ProblemList& problems);
  // After parse() returned true; a null node for an empty file.
  [[nodiscard]] const YamlNode& root() const { return *root_; }

 private:
  class Builder;

  std::deque<YamlNode> nodes_;  // stable addresses
  const YamlNode* root_ = nullptr;
};

}  // namespace cheshire
