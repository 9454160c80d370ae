// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/yaml_tree.h"

#include <gtest/gtest.h>

namespace cheshire {
namespace {

// The problem that a text gives, as it is printed; empty if it is read.
std::string problem_of(const std::string& text) {
  ProblemList problems("f");
  YamlTree tree;
  const bool read = tree.parse(text, problems);
  const std::vector<ConfigProblem> list = problems.take_sorted();
  EXPECT_EQ(read, list.empty());
  return list.empty() ? "" : format_problem(list.front());
}

TEST(YamlTree, KeepsOrderDuplicatesAndPlaces) {
  ProblemList problems("f");
  YamlTree tree;
  ASSERT_TRUE(tree.parse("b: 1\na: [x, y]\nb: 2\n", problems));
  const YamlNode& root = tree.root();
  ASSERT_EQ(root.kind, YamlNode::Kind::kMap);
  ASSERT_EQ(root.items.size(), 6u);
  EXPECT_EQ(root.items[0]->text, "b");
  EXPECT_EQ(root.items[4]->text, "b");
  EXPECT_EQ(root.items[5]->text, "2");
  EXPECT_EQ(root.items[5]->place.line, 3);
  EXPECT_EQ(root.items[5]->place.column, 4);
  EXPECT_EQ(root.items[3]->items.size(), 2u);
}

TEST(YamlTree, AnAliasSharesItsNode) {
  ProblemList problems("f");
  YamlTree tree;
  ASSERT_TRUE(tree.parse("a: &x {k: v}\nb: *x\n", problems));
  EXPECT_EQ(tree.root().items[1], tree.root().items[3]);
  EXPECT_EQ(tree.root().nodes, 9u);
}

TEST(YamlTree, AnEmptyFileIsANull) {
  for (const char* text : {"", "\n", "# nothing\n", "---\n", "~\n"}) {
    ProblemList problems("f");
    YamlTree tree;
    ASSERT_TRUE(tree.parse(text, problems)) << text;
    EXPECT_EQ(tree.root().kind, YamlNode::Kind::kNull) << text;
  }
}

TEST(YamlTree, SyntaxErrorsHavePlaceAndPlainWords) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: b: c\n", "f:1:5: error: not YAML: a second \": \" on this line"},
      {"a:\n\tb: 1\n", "a tab indents this line"},
      {"a: {b: 1\nc: 2\n", "a { is not closed"},
      {"a: [1, 2\n", "a [ is not closed"},
      {"a: \"b\n", "a quote is not closed"},
      {"a: *x\n", "f:1:4: error: not YAML: an alias without its anchor"},
      {"a: &x [*x]\n", "an alias inside of the value that it stands for"},
      {"a: 1\n---\nb: 1\n", "f:3:1: error: a second YAML document"},
      {"a: 1\nb: \x04\n", "f:2:4: error: the byte \\x04 is not text"},
      {"a: \xc3\xa9 \xff\n", "f:1:6: error: the byte \\xff is not text"}};
  for (const auto& [text, words] : cases) {
    EXPECT_NE(problem_of(text).find(words), std::string::npos) << text << "-> " << problem_of(text);
  }
}

TEST(YamlTree, DepthIsBounded) {
  EXPECT_EQ(problem_of(std::string(kYamlDepthMax, '[') + std::string(kYamlDepthMax, ']')), "");
  const std::string sentence = "nested deeper than 16 levels";
  for (const char* piece : {"[", "{", "- ", "? ", "{a: ", "&a ["}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    text += "x";
    EXPECT_NE(problem_of(text).find(sentence), std::string::npos) << piece << "-> " << problem_of(text);
  }
}

TEST(YamlTree, SizeIsBounded) {
  EXPECT_EQ(problem_of(std::string(kYamlBytesMax, '\n')), "");
  EXPECT_NE(problem_of(std::string(kYamlBytesMax + 1, '\n')).find("larger than 1 MiB"), std::string::npos);
}

// Nine lists of nine, each of the one before: a billion values in a few lines.
TEST(YamlTree, AliasesAreBounded) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias;
    for (int j = 1; j < 9; ++j) text += ", " + alias;
    text += "]\n";
  }
  EXPECT_NE(problem_of(text).find("more than 100000 values"), std::string::npos);
}

}  // namespace
}  // namespace cheshire
