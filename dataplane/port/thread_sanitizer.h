// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Words to the thread sanitizer where memory goes from thread to thread through a library that it does not see into:
// what a thread did with it before give_away() was done before what another does after take_over(). Elsewhere nothing.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define CHESHIRE_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CHESHIRE_THREAD_SANITIZER 1
#endif
#endif

#ifdef CHESHIRE_THREAD_SANITIZER
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace cheshire {

inline void give_away([[maybe_unused]] void* memory) {
#ifdef CHESHIRE_THREAD_SANITIZER
  __tsan_release(memory);
#endif
}

inline void take_over([[maybe_unused]] void* memory) {
#ifdef CHESHIRE_THREAD_SANITIZER
  __tsan_acquire(memory);
#endif
}

}  // namespace cheshire
