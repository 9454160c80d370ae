// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/http_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cheshire::grin {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// What came out of the parser, as text: "GET / keep", "POST /health close", "400", ...
std::string describe(ParseEvent event, const Request& request) {
  switch (event) {
    case ParseEvent::kNeedMore:
      return "more";
    case ParseEvent::kExpectContinue:
      return "100";
    case ParseEvent::kBadRequest:
      return "400";
    case ParseEvent::kHeadTooLarge:
      return "431";
    case ParseEvent::kNotImplemented:
      return "501";
    case ParseEvent::kRequest:
      break;
  }
  constexpr const char* kMethods[] = {"OTHER", "GET", "HEAD", "POST"};
  constexpr const char* kTargets[] = {" /", " /health", " /stats"};
  return std::string(kMethods[static_cast<int>(request.method)]) +
         kTargets[static_cast<int>(request.target)] + (request.close ? " close" : " keep");
}

// Feeds the pieces and lists the events, up to the first error.
std::vector<std::string> parse(const std::vector<std::string_view>& pieces) {
  RequestParser parser = {};
  std::vector<std::string> events;
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      const ParseResult result = parser.feed(bytes_of(piece));
      piece.remove_prefix(result.taken_bytes);
      if (result.event == ParseEvent::kNeedMore) {
        EXPECT_TRUE(piece.empty());
        continue;
      }
      events.push_back(describe(result.event, parser.request()));
      if (result.event > ParseEvent::kRequest) return events;
    }
  }
  return events;
}

struct Case {
  std::string name;
  std::string input;
  std::vector<std::string> events;
};

std::string line_of(size_t size) {
  return "X: " + std::string(size - 5, 'v') + "\r\n";
}

std::vector<Case> cases() {
  const std::string host = "Host: a\r\n";
  const std::string get = "GET / HTTP/1.1\r\n";
  return {
      {"simple", get + host + "\r\n", {"GET / keep"}},
      {"bare_line_feeds", "GET / HTTP/1.1\nHost: a\n\n", {"GET / keep"}},
      {"empty_lines_first", "\r\n\r\n" + get + host + "\r\n", {"GET / keep"}},
      {"head", "HEAD /x HTTP/1.1\r\n" + host + "\r\n", {"HEAD / keep"}},
      {"health", "GET /health HTTP/1.1\r\n" + host + "\r\n", {"GET /health keep"}},
      {"health_with_query", "GET /health?a=b HTTP/1.1\r\n" + host + "\r\n", {"GET /health keep"}},
      {"health_as_prefix", "GET /healthy HTTP/1.1\r\n" + host + "\r\n", {"GET / keep"}},
      {"stats", "GET /stats HTTP/1.1\r\n" + host + "\r\n", {"GET /stats keep"}},
      {"long_target", "GET /" + std::string(300, 'a') + " HTTP/1.1\r\n" + host + "\r\n", {"GET / keep"}},
      {"close", get + host + "Connection: close\r\n\r\n", {"GET / close"}},
      {"close_in_a_list", get + host + "connection: TE ,\tClose\r\n\r\n", {"GET / close"}},
      {"keep_alive", get + host + "Connection: keep-alive\r\n\r\n", {"GET / keep"}},
      {"close_is_a_whole_word", get + host + "Connection: closed, close x\r\n\r\n", {"GET / keep"}},
      {"http_1_0", "GET / HTTP/1.0\r\n\r\n", {"GET / close"}},
      {"http_1_2", "GET / HTTP/1.2\r\n" + host + "\r\n", {"GET / keep"}},
      {"pipelined",
       get + host + "\r\nGET /stats HTTP/1.1\r\n" + host + "\r\n",
       {"GET / keep", "GET /stats keep"}},
      {"post",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello" + get + host + "\r\n",
       {"POST / keep", "GET / keep"}},
      {"post_nothing", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", {"POST / keep"}},
      {"post_unfinished", "POST / HTTP/1.1\r\n" + host + "Content-Length: 6\r\n\r\nhello", {}},
      {"same_length_twice",
       "POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab",
       {"POST / keep"}},
      {"expect",
       "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
       {"100", "POST / keep"}},
      {"expect_nothing", get + host + "Expect: 100-continue\r\n\r\n", {"GET / keep"}},
      {"other_method", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\nx", {"OTHER / keep"}},
      {"empty_header_value", get + host + "X:\r\n\r\n", {"GET / keep"}},
      {"long_header_name", get + host + std::string(100, 'n') + ": v\r\n\r\n", {"GET / keep"}},
      {"head_of_8192_bytes",
       get + host + line_of(8192 - get.size() - host.size() - 2) + "\r\n",
       {"GET / keep"}},
      {"head_of_8193_bytes", get + host + line_of(8193 - get.size() - host.size() - 2) + "\r\n", {"431"}},
      {"endless_empty_lines", std::string(9000, '\n'), {"431"}},
      {"chunked", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n", {"501"}},
      {"no_host", get + "\r\n", {"400"}},
      {"two_hosts", get + host + host + "\r\n", {"400"}},
      {"two_lengths", get + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", {"400"}},
      {"length_list", get + host + "Content-Length: 1, 1\r\n\r\n", {"400"}},
      {"length_negative", get + host + "Content-Length: -1\r\n\r\n", {"400"}},
      {"length_empty", get + host + "Content-Length:\r\n\r\n", {"400"}},
      {"length_overflow", get + host + "Content-Length: 18446744073709551616\r\n\r\n", {"400"}},
      {"length_with_blank", get + host + "Content-Length: 1 1\r\n\r\n", {"400"}},
      {"http_2", "GET / HTTP/2.0\r\n" + host + "\r\n", {"400"}},
      {"http_0_9", "GET /\r\n", {"400"}},
      {"no_target", "GET  HTTP/1.1\r\n", {"400"}},
      {"no_method", " / HTTP/1.1\r\n", {"400"}},
      {"bad_method", "G(T / HTTP/1.1\r\n", {"400"}},
      {"tls_client_hello", std::string("\x16\x03\x01\x02\x00", 5), {"400"}},
      {"control_in_target", "GET /\x01 HTTP/1.1\r\n", {"400"}},
      {"control_in_value", get + "A: b\x01\r\n", {"400"}},
      {"zero_in_value", get + std::string("A: \0\r\n", 6), {"400"}},
      {"lone_return", get + "A: b\rc\r\n", {"400"}},
      {"return_in_version", "GET / HTTP/1.1\rX\n", {"400"}},
      {"blank_before_colon", get + "Host : a\r\n", {"400"}},
      {"folded_line", get + host + " more\r\n", {"400"}},
      {"no_colon", get + "Host\r\n", {"400"}},
      {"no_name", get + ": a\r\n", {"400"}},
  };
}

TEST(HttpParser, table_in_one_piece) {
  for (const Case& c : cases()) EXPECT_EQ(parse({c.input}), c.events) << c.name;
}

TEST(HttpParser, table_cut_at_every_byte) {
  for (const Case& c : cases()) {
    const std::string_view input = c.input;
    for (size_t cut = 1; cut < input.size(); ++cut) {
      ASSERT_EQ(parse({input.substr(0, cut), input.substr(cut)}), c.events) << c.name << " at " << cut;
    }
  }
}

TEST(HttpParser, table_byte_by_byte) {
  for (const Case& c : cases()) {
    std::vector<std::string_view> pieces;
    for (size_t i = 0; i < c.input.size(); ++i) pieces.push_back(std::string_view(c.input).substr(i, 1));
    EXPECT_EQ(parse(pieces), c.events) << c.name;
  }
}

}  // namespace
}  // namespace cheshire::grin
