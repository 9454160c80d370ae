// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Runs a fuzz target without libFuzzer, the same way each time: the committed corpus, then inputs made from
// it by a seeded generator. For every compiler and every run of the tests; libFuzzer itself looks deeper.
//
//   NAME_smoke RUNS CORPUS_DIRECTORY
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

#include "tests/support/exact_buffer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kLengthMax = 512;

std::vector<Bytes> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // the order of a directory is nobody's promise
  std::vector<Bytes> corpus;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class InputMaker {
 public:
  explicit InputMaker(const std::vector<Bytes>& corpus) : corpus_(corpus) {}

  Bytes next() {
    if (corpus_.empty() || below(4) == 0) return noise();
    Bytes input = corpus_[below(corpus_.size())];
    for (size_t changes = 1 + below(4); changes > 0; --changes) change(input);
    return input;
  }

 private:
  size_t below(size_t bound) { return static_cast<size_t>(random_() % bound); }
  uint8_t byte() {
    constexpr std::array<uint8_t, 6> kEdges = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    return below(3) == 0 ? kEdges[below(kEdges.size())] : static_cast<uint8_t>(random_());
  }
  Bytes noise() {
    Bytes input(below(kLengthMax));
    for (uint8_t& each : input) each = byte();
    return input;
  }
  void change(Bytes& input) {
    const size_t at = input.empty() ? 0 : below(input.size());
    const auto position = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (below(6)) {
      case 0:
        if (!input.empty()) *position = byte();
        break;
      case 1:
        if (!input.empty()) *position = static_cast<uint8_t>(*position ^ (1U << below(8)));
        break;
      case 2:
        input.resize(at);
        break;
      case 3:
        input.insert(position, byte());
        break;
      case 4:
        if (!input.empty()) input.erase(position);
        break;
      case 5:
        for (size_t more = below(32); more > 0; --more) input.push_back(byte());
        break;
    }
  }

  const std::vector<Bytes>& corpus_;
  std::mt19937_64 random_{20260101};
};

void run(const Bytes& input) {
  const cheshire::test::ExactBuffer exact(input);
  (void)LLVMFuzzerTestOneInput(exact.span().data(), exact.span().size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s RUNS CORPUS_DIRECTORY\n", argv[0]);
    return 2;
  }
  const std::vector<Bytes> corpus = read_corpus(argv[2]);
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus in %s\n", argv[2]);
    return 1;
  }
  for (const Bytes& input : corpus) run(input);
  InputMaker inputs(corpus);
  const unsigned long runs = std::strtoul(argv[1], nullptr, 10);
  for (unsigned long i = 0; i < runs; ++i) run(inputs.next());
  std::printf("%zu of the corpus and %lu made from it: no complaint\n", corpus.size(), runs);
  return 0;
}
