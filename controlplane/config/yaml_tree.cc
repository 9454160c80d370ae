// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <sstream>
#include <unordered_map>

#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

ConfigPlace place_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {.line = mark.line + 1, .column = mark.column + 1};
}

struct Sentence {
  std::string_view yaml_cpp;  // how the library's message begins
  const char* plain;
};
constexpr const char* kTabMessage = "illegal tab when looking for indentation";
constexpr std::array kSentences{
    Sentence{"end of map not found",
             "this line does not fit the map above it; indent it like its neighbours, and write key: value"},
    Sentence{"end of map flow not found", "a { is not closed; write } after its last key"},
    Sentence{"end of sequence not found",
             "this line does not fit the list above it; indent it like its neighbours"},
    Sentence{"end of sequence flow not found", "a [ is not closed; write ] after its last item"},
    Sentence{kTabMessage, "a tab indents this line; write spaces"},
    Sentence{"illegal map value",
             "a second \": \" on this line; put the value in quotes, or start a new line"},
    Sentence{"illegal map key", "a key cannot stand here; start a new line for it"},
    Sentence{"illegal block entry", "a list item cannot stand here; start a new line for it"},
    Sentence{"illegal flow end", "a } or ] that nothing opened; remove it, or put the value in quotes"},
    Sentence{"illegal EOF in scalar", "a quote is not closed before the end of the file; close it"},
    Sentence{"illegal document indicator in scalar", "a quote is not closed before --- or ...; close it"},
    Sentence{"illegal character in scalar", "a character that cannot begin a value; put the value in quotes"},
    Sentence{"unknown token", "a character that cannot begin a value; put the value in quotes"},
    Sentence{"unknown escape character",
             "an unknown escape; write \\\\ for a backslash, or use single quotes"},
    Sentence{"the referenced anchor is not defined",
             "an alias without its anchor; write &name before the value it stands for"},
};

// Whether the line's indentation has a tab: yaml-cpp blames what comes after it.
bool indented_by_tab(std::string_view text, int line) {
  for (int current = 1; current < line; ++current) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

std::string plain_sentence(const std::string& message) {
  for (const Sentence& sentence : kSentences) {
    if (message.starts_with(sentence.yaml_cpp)) return std::string("not YAML: ") + sentence.plain;
  }
  return "not YAML: " + printable(message) + "; compare the line with the example in docs/config.md";
}

// How many bytes of valid UTF-8 (RFC 3629) begin here: 0 for none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) return continues(1) ? 2 : 0;
  if (byte(0) >= 0xe0 && byte(0) <= 0xef) {
    const bool overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = byte(0) == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4) {
    const bool overlong = byte(0) == 0xf0 && byte(1) < 0x90;
    const bool too_large = byte(0) == 0xf4 && byte(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

// yaml-cpp takes byte 4 for the end of the file and mends bad UTF-8 in silence: neither may reach it.
bool check_bytes(std::string_view text, ProblemList& problems) {
  ConfigPlace place{.line = 1, .column = 1};
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const size_t length = utf8_length(text);
    const bool control = (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
    if (length == 0 || control) {
      problems.error(
          place, "",
          "the byte " + printable(text.substr(0, 1)) + " is not text; save the file as UTF-8 text");
      return false;
    }
    if (byte == '\n') {
      place = {.line = place.line + 1, .column = 1};
    } else {
      ++place.column;
    }
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

const char* kind_words(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map of keys";
  }
  return "nothing";
}

namespace {

// Thrown by the builder through the parser, which unwinds; it never leaves this file.
class TreeFault : public YAML::ParserException {
 public:
  using YAML::ParserException::ParserException;
};

}  // namespace

// Takes yaml-cpp's events and throws over a bound. The library's recursion, one level for each open list or
// map, is bounded with the depth.
class YamlTree::Builder final : public YAML::EventHandler {
 public:
  explicit Builder(YamlTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(YamlNode::Kind::kNull, mark, anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& value) override {
    add(YamlNode::Kind::kScalar, mark, anchor).text = value;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(YamlNode::Kind::kList, mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(YamlNode::Kind::kMap, mark, anchor);
  }
  void OnMapEnd() override { close(); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end() || found->second->open) {
      throw TreeFault(mark, "an alias inside of the value that it stands for; remove it");
    }
    count(found->second->nodes, mark);
    attach(*found->second);
  }

 private:
  void count(size_t nodes, const YAML::Mark& mark) {
    total_ += nodes;  // each addend is at most the bound, so the sum cannot wrap
    if (total_ > kYamlNodesMax) {
      throw TreeFault(mark, "more than " + std::to_string(kYamlNodesMax) +
                                " values, counted with all aliases written out; use fewer");
    }
  }

  void attach(const YamlNode& node) {
    if (open_.empty()) {
      tree_.root_ = &node;
      return;
    }
    open_.back()->items.push_back(&node);
    open_.back()->nodes += node.nodes;
  }

  YamlNode& make(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(1, mark);
    YamlNode& node = tree_.nodes_.emplace_back();
    node.kind = kind;
    node.place = place_of(mark);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = &node;
    return node;
  }

  YamlNode& add(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    YamlNode& node = make(kind, mark, anchor);
    attach(node);
    return node;
  }

  void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (open_.size() >= kYamlDepthMax) {
      throw TreeFault(mark, "nested deeper than " + std::to_string(kYamlDepthMax) +
                                " levels, which no key needs; remove the brackets or the indentation");
    }
    YamlNode& node = make(kind, mark, anchor);
    node.open = true;
    open_.push_back(&node);
  }

  void close() {
    YamlNode& node = *open_.back();
    node.open = false;
    open_.pop_back();
    attach(node);
  }

  YamlTree& tree_;
  std::vector<YamlNode*> open_;
  std::unordered_map<YAML::anchor_t, const YamlNode*> anchors_;
  size_t total_ = 0;
};

bool YamlTree::parse(std::string_view text, ProblemList& problems) {
  if (text.size() > kYamlBytesMax) {
    problems.error({}, "", "larger than 1 MiB, which no config needs; is it the right file?");
    return false;
  }
  if (!check_bytes(text, problems)) return false;
  try {
    // yaml-cpp 0.7 takes a quote that is not closed for closed if a line end comes before the file's end.
    const std::string_view stripped = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    std::istringstream stream{std::string(stripped)};
    YAML::Parser parser(stream);
    Builder builder(*this);
    if (!parser.HandleNextDocument(builder) || root_ == nullptr) {
      root_ = &nodes_.emplace_back(YamlNode{.place = {.line = 1, .column = 1}});
      return true;
    }
    const YamlNode* const first = root_;
    YamlTree rest;
    Builder rest_builder(rest);
    if (parser.HandleNextDocument(rest_builder)) {
      const ConfigPlace place = rest.root_ == nullptr ? ConfigPlace{} : rest.root_->place;
      problems.error(place, "", "a second YAML document begins here; keep one, and remove the line ---");
      return false;
    }
    root_ = first;
    return true;
  } catch (const TreeFault& fault) {
    problems.error(place_of(fault.mark), "", fault.msg);
  } catch (const YAML::Exception& exception) {
    const ConfigPlace place = place_of(exception.mark);
    const bool tab = indented_by_tab(text, place.line);
    problems.error(place, "", plain_sentence(tab ? kTabMessage : exception.msg));
  } catch (const std::exception& exception) {
    problems.error({}, "", plain_sentence(exception.what()));
  }
  return false;
}

}  // namespace cheshire
