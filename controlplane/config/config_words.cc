// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The half of config_values.h that is about words: names, quoting, guessing what was meant.
#include <algorithm>
#include <array>

#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

constexpr size_t kPrintableMax = 64;  // bytes of outside text that one message repeats
constexpr size_t kGuessMax = 40;      // longer words are not guessed at: the cost is quadratic

// Letters inserted, removed, replaced, or swapped with their neighbour (optimal string alignment).
size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::array<size_t, kGuessMax + 1>, kGuessMax + 1> cost;
  for (size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({replaced, cost[i - 1][j] + 1, cost[i][j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string format_ipv4(be32 ip) {
  const uint32_t value = ip.value();
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string((value >> shift) & 0xff);
    if (shift > 0) text += '.';
  }
  return text;
}

std::string format_endpoint(be32 ip, be16 port) {
  return format_ipv4(ip) + ":" + std::to_string(port.value());
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameMax || text.front() == '-') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, kPrintableMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text.size() > kPrintableMax ? out + "..." : out;
}

std::string in_quotes(std::string_view text) {
  return '"' + printable(text) + '"';
}

std::string_view nearest_word(std::string_view text, std::span<const std::string_view> words) {
  if (text.size() > kGuessMax) return {};
  std::string_view best;
  // A third of the word may be wrong, so that "mx" finds "max" and "xy" finds nothing.
  size_t best_distance = std::max<size_t>(1, text.size() / 3) + 1;
  for (const std::string_view word : words) {
    if (word.size() > kGuessMax) continue;
    const size_t distance = edit_distance(text, word);
    if (distance < best_distance && distance < word.size()) {
      best = word;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> words) {
  const std::string_view word = nearest_word(text, words);
  return word.empty() ? "" : " (did you mean " + in_quotes(word) + "?)";
}

}  // namespace cheshire
