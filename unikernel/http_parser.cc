// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/http_parser.h"

#include "unikernel/text.h"

namespace cheshire::grin {
namespace {

constexpr char lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
}

// RFC 9110 5.6.2.
bool is_token_char(char byte) {
  if (byte >= '0' && byte <= '9') return true;
  const char letter = lower(byte);
  if (letter >= 'a' && letter <= 'z') return true;
  for (const char other : std::string_view("!#$%&'*+-.^_`|~")) {
    if (byte == other) return true;
  }
  return false;
}

bool is_control(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return (value < 0x20 && byte != '\t') || value == 0x7f;
}

}  // namespace

void RequestParser::append(char byte) {
  if (token_size_ == kTokenBytesMax) {
    token_overflow_ = true;
  } else {
    token_[token_size_++] = byte;
  }
}

void RequestParser::start_request() {
  *this = RequestParser{};
}

ParseResult RequestParser::feed(std::span<const std::byte> input) {
  size_t taken = 0;
  while (taken < input.size()) {
    if (state_ == State::kBody) {
      const size_t left = input.size() - taken;
      const size_t skip = body_left_bytes_ < left ? static_cast<size_t>(body_left_bytes_) : left;
      body_left_bytes_ -= skip;
      taken += skip;
      if (body_left_bytes_ != 0) return {ParseEvent::kNeedMore, taken};
      state_ = State::kStart;
      return {ParseEvent::kRequest, taken};
    }
    if (head_size_bytes_ == kRequestHeadBytesMax) return {ParseEvent::kHeadTooLarge, taken};
    ++head_size_bytes_;
    const ParseEvent event = take_byte(static_cast<char>(input[taken++]));
    if (event != ParseEvent::kNeedMore) return {event, taken};
  }
  return {ParseEvent::kNeedMore, taken};
}

ParseEvent RequestParser::take_byte(char byte) {
  if (return_seen_ && byte != '\n') return ParseEvent::kBadRequest;
  switch (state_) {
    case State::kStart:
      return take_start_byte(byte);
    case State::kMethod:
      return take_method_byte(byte);
    case State::kTarget:
      return take_target_byte(byte);
    case State::kVersion:
      return take_version_byte(byte);
    case State::kName:
      return take_name_byte(byte);
    case State::kValue:
    case State::kSkip:
      return take_value_byte(byte);
    case State::kBody:
      break;
  }
  return ParseEvent::kBadRequest;
}

// Empty lines before a request are skipped (RFC 9112 2.2); they count towards the size of the head.
ParseEvent RequestParser::take_start_byte(char byte) {
  if (byte == '\r') {
    return_seen_ = true;
    return ParseEvent::kNeedMore;
  }
  if (byte == '\n') {
    return_seen_ = false;
    return ParseEvent::kNeedMore;
  }
  const uint32_t head_size_bytes = head_size_bytes_;
  start_request();
  head_size_bytes_ = head_size_bytes;
  state_ = State::kMethod;
  return take_method_byte(byte);
}

ParseEvent RequestParser::take_method_byte(char byte) {
  if (byte != ' ') {
    append(byte);
    return is_token_char(byte) ? ParseEvent::kNeedMore : ParseEvent::kBadRequest;
  }
  if (token_size_ == 0) return ParseEvent::kBadRequest;
  if (token() == "GET") request_.method = Method::kGet;
  if (token() == "HEAD") request_.method = Method::kHead;
  if (token() == "POST") request_.method = Method::kPost;
  token_size_ = 0;
  token_overflow_ = false;
  state_ = State::kTarget;
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::take_target_byte(char byte) {
  if (byte == ' ') {
    if (token_size_ == 0) return ParseEvent::kBadRequest;
    if (!token_overflow_ && token() == "/health") request_.target = Target::kHealth;
    if (!token_overflow_ && token() == "/stats") request_.target = Target::kStats;
    token_size_ = 0;
    token_overflow_ = false;
    token_frozen_ = false;
    state_ = State::kVersion;
    return ParseEvent::kNeedMore;
  }
  if (is_control(byte) || byte == '\t') return ParseEvent::kBadRequest;
  if (byte == '?' && token_size_ != 0) token_frozen_ = true;
  if (!token_frozen_) append(byte);
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::take_version_byte(char byte) {
  if (byte == '\n') return end_version();
  if (byte == '\r') {
    return_seen_ = true;
  } else {
    append(byte);
  }
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::end_version() {
  constexpr std::string_view kMajor = "HTTP/1.";
  return_seen_ = false;
  if (token_size_ != kMajor.size() + 1 || token_overflow_) return ParseEvent::kBadRequest;
  const char minor = token_[kMajor.size()];
  if (std::string_view(token_.data(), kMajor.size()) != kMajor || minor < '0' || minor > '9') {
    return ParseEvent::kBadRequest;
  }
  version_1_0_ = minor == '0';
  request_.close = version_1_0_;
  token_size_ = 0;
  state_ = State::kName;
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::take_name_byte(char byte) {
  if (byte == ':') return end_name();
  if (byte == '\n' && token_size_ == 0) return end_head();
  if (byte == '\r' && token_size_ == 0) {
    return_seen_ = true;
    return ParseEvent::kNeedMore;
  }
  // Also refuses white space before the colon and folded lines (RFC 9112 5.1 and 5.2).
  if (!is_token_char(byte)) return ParseEvent::kBadRequest;
  append(lower(byte));
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::end_name() {
  if (token_size_ == 0) return ParseEvent::kBadRequest;
  header_ = Header::kIgnored;
  if (!token_overflow_) {
    if (token() == "connection") header_ = Header::kConnection;
    if (token() == "content-length") header_ = Header::kContentLength;
    if (token() == "expect") header_ = Header::kExpect;
    if (token() == "host") header_ = Header::kHost;
    if (token() == "transfer-encoding") header_ = Header::kTransferEncoding;
  }
  if (header_ == Header::kTransferEncoding) return ParseEvent::kNotImplemented;
  if (header_ == Header::kHost && has_host_) return ParseEvent::kBadRequest;
  has_host_ = has_host_ || header_ == Header::kHost;
  token_size_ = 0;
  token_overflow_ = false;
  token_frozen_ = false;
  const bool ignored = header_ == Header::kIgnored || header_ == Header::kHost;
  state_ = ignored ? State::kSkip : State::kValue;
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::take_value_byte(char byte) {
  if (byte == '\n') return end_value();
  if (byte == '\r') {
    return_seen_ = true;
    return ParseEvent::kNeedMore;
  }
  if (is_control(byte)) return ParseEvent::kBadRequest;
  if (state_ == State::kSkip) return ParseEvent::kNeedMore;
  if (byte == ' ' || byte == '\t') {
    token_frozen_ = token_size_ != 0;
    return ParseEvent::kNeedMore;
  }
  if (byte == ',' && header_ == Header::kConnection) {
    read_connection_option();
    return ParseEvent::kNeedMore;
  }
  // Words with a blank between them are nothing that we know.
  if (token_frozen_) token_overflow_ = true;
  append(lower(byte));
  return ParseEvent::kNeedMore;
}

void RequestParser::read_connection_option() {
  if (!token_overflow_ && token() == "close") request_.close = true;
  token_size_ = 0;
  token_overflow_ = false;
  token_frozen_ = false;
}

ParseEvent RequestParser::end_value() {
  return_seen_ = false;
  if (header_ == Header::kConnection) read_connection_option();
  if (header_ == Header::kExpect) expects_continue_ = !token_overflow_ && token() == "100-continue";
  if (header_ == Header::kContentLength) {
    const auto length = token_overflow_ ? std::nullopt : parse_decimal(token());
    if (!length || (has_length_ && *length != body_left_bytes_)) return ParseEvent::kBadRequest;
    has_length_ = true;
    body_left_bytes_ = *length;
  }
  token_size_ = 0;
  token_overflow_ = false;
  token_frozen_ = false;
  state_ = State::kName;
  return ParseEvent::kNeedMore;
}

ParseEvent RequestParser::end_head() {
  return_seen_ = false;
  if (!version_1_0_ && !has_host_) return ParseEvent::kBadRequest;  // RFC 9112 3.2
  head_size_bytes_ = 0;
  if (body_left_bytes_ == 0) {
    state_ = State::kStart;
    return ParseEvent::kRequest;
  }
  state_ = State::kBody;
  return expects_continue_ && !version_1_0_ ? ParseEvent::kExpectContinue : ParseEvent::kNeedMore;
}

}  // namespace cheshire::grin
