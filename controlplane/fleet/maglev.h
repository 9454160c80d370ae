// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Maglev consistent hashing (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer",
// NSDI 2016, section 3.4).
//
// Each member has a permutation of all entries, from its slot number alone; the members take turns and each
// takes the first entry of its permutation that is free. So every member has its share of the entries to
// within one, the same members give the same table, and a member that goes leaves most entries of the others
// where they are. The size is a prime, a hundred times the number of members at the least, as in the paper.
//
// Control thread. One table of 131,071 entries takes a few milliseconds, of 1,021 some microseconds, so
// tables are made anew only for members that changed (MaglevTables).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "balance.h"
#include "ids.h"

namespace cheshire {

// `members` in ascending order; none: an empty table.
[[nodiscard]] MaglevTable build_maglev(std::span<const SlotIndex> members);

// The newest table of each service.
class MaglevTables {
 public:
  // The one of the last call if the members are the same.
  [[nodiscard]] std::shared_ptr<const MaglevTable> table(ServiceIndex service,
                                                         const std::vector<SlotIndex>& members);

 private:
  struct Made {
    std::vector<SlotIndex> members;
    std::shared_ptr<const MaglevTable> table;
  };
  std::vector<Made> made_;  // by service
};

}  // namespace cheshire
