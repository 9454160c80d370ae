// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// CHECK: an assertion about our own code, on in every build. Never for outside input, never with a
// side effect inside. It ends the process, because a data plane that runs on a broken invariant
// sends one tenant's packets to another.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace cheshire {

[[noreturn, gnu::cold, gnu::noinline]] inline void check_failed(const char* what, const char* file,
                                                                int line) {
  std::fprintf(stderr, "cheshire: internal error: CHECK(%s) failed at %s:%d\n", what, file, line);
  std::abort();
}

}  // namespace cheshire

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::cheshire::check_failed(#condition, __FILE__, __LINE__))
