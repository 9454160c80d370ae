// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Reads HTTP/1.x requests (RFC 9112) from a stream that may be cut anywhere, and keeps nothing of them but
// the few facts that decide the answer. So a connection needs no buffer for a request head.
//
// A request is complete when its body has been read too; bodies are discarded. All zero is the initial state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cheshire::grin {

inline constexpr uint32_t kRequestHeadBytesMax = 8192;

enum class Method : uint8_t { kOther, kGet, kHead, kPost };
enum class Target : uint8_t { kOther, kHealth, kStats };

struct Request {
  Method method;
  Target target;
  bool close;  // the client wants, or its version implies, that the connection ends after the answer
};

enum class ParseEvent : uint8_t {
  kNeedMore,        // all input was taken
  kExpectContinue,  // the client waits for "100 Continue" before it sends the body; go on feeding
  kRequest,         // request() is complete
  kBadRequest,      // the last four end the connection: where the next request would start is unknown
  kHeadTooLarge,
  kNotImplemented,  // Transfer-Encoding
};

struct ParseResult {
  ParseEvent event;
  size_t taken_bytes;
};

class RequestParser {
 public:
  // Takes input up to the end of the first event. After an error it must not be fed again; after a request it
  // starts the next one.
  [[nodiscard]] ParseResult feed(std::span<const std::byte> input);

  // Valid after kRequest until the next feed().
  [[nodiscard]] const Request& request() const { return request_; }

 private:
  enum class State : uint8_t { kStart, kMethod, kTarget, kVersion, kName, kValue, kSkip, kBody };
  enum class Header : uint8_t { kIgnored, kConnection, kContentLength, kExpect, kHost, kTransferEncoding };

  ParseEvent take_byte(char byte);
  ParseEvent take_start_byte(char byte);
  ParseEvent take_method_byte(char byte);
  ParseEvent take_target_byte(char byte);
  ParseEvent take_version_byte(char byte);
  ParseEvent take_name_byte(char byte);
  ParseEvent take_value_byte(char byte);
  ParseEvent end_version();
  ParseEvent end_name();
  ParseEvent end_value();
  ParseEvent end_head();
  void read_connection_option();
  void start_request();
  void append(char byte);
  [[nodiscard]] std::string_view token() const { return {token_.data(), token_size_}; }

  static constexpr size_t kTokenBytesMax = 24;

  uint64_t body_left_bytes_;
  uint32_t head_size_bytes_;
  State state_;
  Header header_;
  Request request_;
  bool has_length_;
  bool has_host_;
  bool version_1_0_;
  bool expects_continue_;
  bool return_seen_;     // the last byte was a CR: only LF may follow
  bool token_overflow_;  // longer than anything that we look for
  bool token_frozen_;    // the rest of the target is a query, or of the token white space
  uint8_t token_size_;
  std::array<char, kTokenBytesMax> token_;
};

}  // namespace cheshire::grin
