// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include <gtest/gtest.h>

#include "hypervisor/process/guest_output.h"
#include "units.h"

namespace cheshire {
namespace {

std::string joined(LineSplitter& lines, std::string_view bytes) {
  std::string text;
  lines.feed(bytes, [&](std::string_view line, bool cut) { text += std::string(line) + (cut ? "!|" : "|"); });
  return text;
}

TEST(LineSplitter, CutsAtNewlinesWhateverThePieces) {
  LineSplitter lines(10);
  EXPECT_EQ(joined(lines, "one\ntwo\r\nth"), "one|two|");
  EXPECT_EQ(joined(lines, "ree"), "");
  EXPECT_EQ(joined(lines, "\n\nfour\n"), "three||four|");
}

TEST(LineSplitter, KeepsTheBeginningOfALineThatIsTooLong) {
  LineSplitter lines(4);
  EXPECT_EQ(joined(lines, "1234\n12345\n123456789"), "1234|1234!|");
  EXPECT_EQ(joined(lines, std::string(100000, 'x')), "");
  EXPECT_EQ(joined(lines, "\nabc\n"), "1234!|abc|");
}

TEST(SerialLog, BoundsTheLinesOfASecond) {
  SerialLog log("hello/0#1");
  for (uint64_t i = 0; i < SerialLog::kLinesPerSecondMax + 5; ++i) log.feed("line\n", kNsPerSecond);
  EXPECT_EQ(log.lines_not_logged(), 5U);
  log.feed("line\n", 2 * kNsPerSecond);
  EXPECT_EQ(log.lines_not_logged(), 5U);
}

TEST(SerialLog, DisarmsControlCharacters) {
  SerialLog log("hello/0#1");
  log.feed("\x1b[2Jgone\n\n", 1);
  EXPECT_EQ(log.last_line(), "?[2Jgone");
}

struct WordsCase {
  const char* name;
  const char* said;
  const char* expected;
};

TEST(LastWords, SayWhatWentWrong) {
  const WordsCase cases[] = {
      {"nothing", "", ""},
      {"an error without the program's name", "qemu-system-x86_64: -netdev vhost-user: no chardev\n",
       "-netdev vhost-user: no chardev"},
      {"a warning is no reason", "qemu-system-x86_64: warning: host doesn't support pni\n", ""},
      {"an unfinished line counts", "qemu: could not open\nkernel", "could not open; kernel"},
      {"the last three lines", "a\nb\nc\nd\n", "b; c; d"},
      {"an internal error without its dump", "KVM internal error. Suberror: 1\nEAX=0\nEBX=0\nECX=0\nEDX=0\n",
       "KVM internal error. Suberror: 1"},
  };
  for (const WordsCase& c : cases) {
    LastWords words;
    words.feed(c.said);
    words.finish();
    EXPECT_EQ(words.text(), c.expected) << c.name;
  }
}

TEST(LastWords, KeepABoundedTail) {
  LastWords words;
  for (int i = 0; i < 100000; ++i) words.feed("something went wrong\n");
  words.feed(std::string(100000, 'x') + "\n");
  EXPECT_LE(words.text().size(), 3 * kOutputLineBytesMax + 4);
}

}  // namespace
}  // namespace cheshire
