// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// siphash13() against a second implementation, written from the paper for any rounds and any input, which
// itself is held against the paper's vector.
#include "dataplane/packet/siphash.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace cheshire {
namespace {

class PlainSipHash {
 public:
  PlainSipHash(int compressions, int finalisations, HashKey key)
      : compressions_(compressions), finalisations_(finalisations) {
    v_ = {key.k0 ^ word_of("somepseu"), key.k1 ^ word_of("dorandom"), key.k0 ^ word_of("lygenera"),
          key.k1 ^ word_of("tedbytes")};
  }

  uint64_t operator()(const std::vector<uint8_t>& input) {
    std::vector<uint8_t> padded = input;
    while (padded.size() % 8 != 7) padded.push_back(0);
    padded.push_back(static_cast<uint8_t>(input.size()));
    for (size_t at = 0; at < padded.size(); at += 8) {
      uint64_t word = 0;
      for (size_t byte = 8; byte-- > 0;) word = word << 8U | padded[at + byte];
      v_[3] ^= word;
      for (int i = 0; i < compressions_; ++i) round();
      v_[0] ^= word;
    }
    v_[2] ^= 0xff;
    for (int i = 0; i < finalisations_; ++i) round();
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  // The paper writes the constants as big-endian text: "somepseudorandomlygeneratedbytes".
  static uint64_t word_of(const char* text) {
    uint64_t word = 0;
    for (int i = 0; i < 8; ++i) word = word << 8U | static_cast<uint8_t>(text[i]);
    return word;
  }
  static uint64_t rotated(uint64_t value, unsigned bits) { return value << bits | value >> (64U - bits); }

  // Figure 2.1: add, rotate, xor; the two halves are independent until the second column.
  void round() {
    v_[0] += v_[1];
    v_[2] += v_[3];
    v_[1] = rotated(v_[1], 13);
    v_[3] = rotated(v_[3], 16);
    v_[1] ^= v_[0];
    v_[3] ^= v_[2];
    v_[0] = rotated(v_[0], 32);
    v_[2] += v_[1];
    v_[0] += v_[3];
    v_[1] = rotated(v_[1], 17);
    v_[3] = rotated(v_[3], 21);
    v_[1] ^= v_[2];
    v_[3] ^= v_[0];
    v_[2] = rotated(v_[2], 32);
  }

  int compressions_;
  int finalisations_;
  std::array<uint64_t, 4> v_;
};

std::vector<uint8_t> bytes_of(uint64_t word) {
  std::vector<uint8_t> bytes;
  for (unsigned shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<uint8_t>(word >> shift));
  return bytes;
}

TEST(SipHash, SecondImplementationGivesThePapersVector) {  // Appendix A: SipHash-2-4
  std::vector<uint8_t> input(15);
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint8_t>(i);
  PlainSipHash hash(2, 4, {.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908});
  EXPECT_EQ(hash(input), 0xa129ca6149be45e5);
}

TEST(SipHash, AgreesWithTheSecondImplementation) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 10000; ++round) {
    const HashKey key{random(), random()};
    const uint64_t word = random();
    ASSERT_EQ(siphash13(key, word), PlainSipHash(1, 3, key)(bytes_of(word)));
  }
  for (const uint64_t word : {uint64_t{0}, uint64_t{1}, ~uint64_t{0}}) {
    EXPECT_EQ(siphash13({}, word), PlainSipHash(1, 3, {})(bytes_of(word)));
  }
}

TEST(SipHash, DependsOnEveryBitOfKeyAndWord) {
  const HashKey key{0x0123456789abcdef, 0xfedcba9876543210};
  const uint64_t hash = siphash13(key, 42);
  for (unsigned bit = 0; bit < 64; ++bit) {
    const uint64_t flip = uint64_t{1} << bit;
    EXPECT_NE(siphash13({key.k0 ^ flip, key.k1}, 42), hash);
    EXPECT_NE(siphash13({key.k0, key.k1 ^ flip}, 42), hash);
    EXPECT_NE(siphash13(key, 42 ^ flip), hash);
  }
}

}  // namespace
}  // namespace cheshire
