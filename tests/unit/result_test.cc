// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace cheshire {
namespace {

Result<int> parse_digit(char digit) {
  if (digit < '0' || digit > '9') return Error{ErrorCode::kInvalidArgument, "not a digit"};
  return digit - '0';
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = parse_digit('7');
  ASSERT_TRUE(good.ok());
  EXPECT_TRUE(static_cast<bool>(good));
  EXPECT_EQ(good.value(), 7);

  const Result<int> bad = parse_digit('x');
  ASSERT_FALSE(bad.ok());
  EXPECT_FALSE(static_cast<bool>(bad));
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(bad.error().what, "not a digit");
}

TEST(Result, GivesAMoveOnlyValueAway) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> owned = std::move(result).value();
  EXPECT_EQ(*owned, 7);
}

TEST(Result, LetsItsValueBeChanged) {
  Result<std::string> result(std::string("grin"));
  result.value() += "!";
  EXPECT_EQ(result.value(), "grin!");
}

TEST(ResultOfVoid, IsSuccessOrAnError) {
  const Result<void> good;
  EXPECT_TRUE(good.ok());
  const Result<void> bad = Error{ErrorCode::kLimit, "too many"};
  EXPECT_FALSE(bad.ok());
  EXPECT_FALSE(static_cast<bool>(bad));
  EXPECT_EQ(bad.error().what, "too many");
}

TEST(ResultDeathTest, EndsTheProcessWhenTheOtherOneIsAskedFor) {
  EXPECT_DEATH((void)parse_digit('x').value(), "CHECK");
  EXPECT_DEATH((void)parse_digit('7').error(), "CHECK");
  EXPECT_DEATH((void)Result<void>().error(), "CHECK");
}

}  // namespace
}  // namespace cheshire
