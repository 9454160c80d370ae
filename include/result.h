// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The one result type of the project: a value, or an Error that says what happened, where, and what to
// do about it. Errors of the environment (a boot failed, a socket is gone) travel in it; bad packets
// are drop counters and our own bugs are CHECK (check.h), never a Result.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "check.h"

namespace cheshire {

enum class ErrorCode {
  kInvalidArgument,  // outside input that can never work as it is
  kNotFound,         // a file, device or program that is not there
  kAlreadyInUse,     // a name, socket or lock that somebody else holds
  kUnavailable,      // may work when tried again
  kLimit,            // a bound of ours was reached
  kInternal,         // a library or the kernel refused something that should work
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string what;  // one sentence for a person, with the remedy where there is one
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  T& value() & {
    CHECK(ok());
    return *std::get_if<T>(&state_);
  }
  const T& value() const& {
    CHECK(ok());
    return *std::get_if<T>(&state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(*std::get_if<T>(&state_));
  }
  const Error& error() const {
    CHECK(!ok());
    return *std::get_if<Error>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

// Success without a value: `return {};` or `return Error{...};`
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    CHECK(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace cheshire
