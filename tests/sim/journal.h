// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The event log of one world: its hash, which two runs of a seed must agree on, its newest lines, which a failure
// prints, and the failure itself. A broken promise ends the program: what follows in a broken world says nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace cheshire::sim {

enum class What : uint8_t {
  kClientSends,   // serial, flags, sequence
  kClientGets,    // serial, flags, sequence
  kClientEnds,    // serial, outcome
  kWireLoses,     // serial
  kGuestGets,     // instance, flags, serial
  kGuestSends,    // instance, flags, serial
  kGuestChanges,  // instance, to which health
  kBootOrder,     // slot, generation, service
  kPrepareOrder,  // slot, generation, service
  kRunOrder,      // slot, generation
  kPauseOrder,    // slot, generation
  kStopOrder,     // slot, generation
  kDriverTells,   // slot, generation, event
  kPortUp,        // slot, generation
  kPortDown,      // slot, generation
  kState,         // slot, generation, instance state
  kDecision,      // service, size, wanted
  kWorkerLate,    // worker, ms
  kControlLate,   // ms
  kPoolEmpty,     // ms
  kCommand,       // kind, obeyed
  kPhase,         // number
};

class Journal {
 public:
  // `tells`: every line is printed as it comes.
  Journal(uint64_t seed, bool tells);
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal();

  void note(What what, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0);
  // What belongs to the hash and is no line of its own: bytes of frames.
  void mix(uint64_t value) { hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15U + (hash_ >> 29U); }

  [[nodiscard]] uint64_t hash() const { return hash_; }
  [[nodiscard]] uint64_t seed() const { return seed_; }

  // Prints the sentence that does not hold, seed, moment and the newest lines, and ends the program.
  [[noreturn]] void fail(const char* sentence, const std::string& details) const;
  void print_newest() const;

  uint64_t now_ns = 0;  // the world's clock

 private:
  struct Line {
    uint64_t time_ns;
    What what;
    uint64_t a, b, c;
  };
  static constexpr size_t kNewest = 120;
  static void print(const Line& line);

  const uint64_t seed_;
  const bool tells_;
  uint64_t hash_ = 0;
  uint64_t lines_ = 0;
  std::array<Line, kNewest> newest_{};
};

// The promise is a sentence; the details are made only if it is broken.
#define HOLDS(journal, condition, sentence, details) \
  do {                                               \
    if (!(condition)) [[unlikely]]                   \
      (journal).fail(sentence, details);             \
  } while (false)

}  // namespace cheshire::sim
