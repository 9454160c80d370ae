// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Doubly linked lists of small indices, with the links kept in an array beside the objects. Index 0 means
// "none", so memory that reads as zero is a valid empty state and nothing needs to be initialised.
#pragma once

#include <cstdint>
#include <span>

namespace cheshire::grin {

using Index = uint16_t;
inline constexpr Index kNoIndex = 0;

struct IndexLink {
  Index previous;
  Index next;
};

// Several lists may share one array of links as long as no index is in two of them at once.
struct IndexList {
  Index first = kNoIndex;
  Index last = kNoIndex;

  [[nodiscard]] bool empty() const { return first == kNoIndex; }

  void push_back(std::span<IndexLink> links, Index index) {
    links[index] = {last, kNoIndex};
    if (last != kNoIndex) {
      links[last].next = index;
    } else {
      first = index;
    }
    last = index;
  }

  void remove(std::span<IndexLink> links, Index index) {
    const IndexLink link = links[index];
    if (link.previous != kNoIndex) {
      links[link.previous].next = link.next;
    } else {
      first = link.next;
    }
    if (link.next != kNoIndex) {
      links[link.next].previous = link.previous;
    } else {
      last = link.previous;
    }
    links[index] = {kNoIndex, kNoIndex};
  }

  [[nodiscard]] Index pop_front(std::span<IndexLink> links) {
    const Index index = first;
    if (index != kNoIndex) remove(links, index);
    return index;
  }
};

}  // namespace cheshire::grin
