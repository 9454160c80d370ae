// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "unikernel/pages.h"

#include <cstring>

#include "unikernel/text.h"

namespace cheshire::grin {
namespace {

constexpr std::string_view kPattern = "A grin without a cat: the most curious thing I ever saw in my l\n";
static_assert(kPattern.size() == 64);

struct Source {
  std::string_view status;
  std::string_view extra;
  std::string_view body;
};

Source source_of(PageId id) {
  switch (id) {
    case PageId::kHealth:
      return {"200 OK", "", "ok\n"};
    case PageId::kBadRequest:
      return {"400 Bad Request", "", "bad request\n"};
    case PageId::kMethodNotAllowed:
      return {"405 Method Not Allowed", "Allow: GET, HEAD, POST\r\n", "method not allowed\n"};
    case PageId::kHeadTooLarge:
      return {"431 Request Header Fields Too Large", "", "request head too large\n"};
    case PageId::kNotImplemented:
      return {"501 Not Implemented", "", "transfer codings are not implemented\n"};
    case PageId::kUnavailable:
    case PageId::kHello:
    case PageId::kContinue:
      break;
  }
  return {"503 Service Unavailable", "Retry-After: 1\r\n", "too many answers of this kind at once\n"};
}

}  // namespace

void Page::copy(uint32_t offset, std::span<std::byte> out) const {
  size_t done = 0;
  if (offset < text_size_bytes) {
    const size_t left = text_size_bytes - offset;
    done = left < out.size() ? left : out.size();
    std::memcpy(out.data(), text.data() + offset, done);
  }
  while (done < out.size()) {
    const size_t phase = (offset + done - head_size_bytes) % kPattern.size();
    const size_t left = kPattern.size() - phase;
    const size_t count = left < out.size() - done ? left : out.size() - done;
    std::memcpy(out.data() + done, kPattern.data() + phase, count);
    done += count;
  }
}

void Pages::build(Page& page, std::string_view status, std::string_view extra, std::string_view body,
                  bool close) {
  TextWriter text(page.text);
  text.append("HTTP/1.1 ").append(status).append("\r\nServer: grin\r\nContent-Type: text/plain\r\n");
  text.append(extra).append("X-Instance: ").append_hex(token_, 16).append("\r\n");
  if (close) text.append("Connection: close\r\n");
  text.append("Content-Length: ").append_decimal(page.body_size_bytes).append("\r\n\r\n");
  page.head_size_bytes = static_cast<uint32_t>(text.size());
  text.append(body);
  page.text_size_bytes = static_cast<uint32_t>(text.size());
}

void Pages::build_hello(Page& page, bool close) {
  if (hello_size_bytes_ != 0) {
    page.body_size_bytes = hello_size_bytes_;
    build(page, "200 OK", "", {}, close);
    return;
  }
  TextBuffer<64> body;
  body.append("Hello from grin ").append_hex(token_, 16).append("\n");
  page.body_size_bytes = static_cast<uint32_t>(body.size());
  build(page, "200 OK", "", body.view(), close);
}

const Page& Pages::page(PageId id, bool close) {
  Page& page = pages_[static_cast<size_t>(id)][close ? 1 : 0];
  if (page.head_size_bytes != 0) return page;
  if (id == PageId::kHello) {
    build_hello(page, close);
  } else if (id == PageId::kContinue) {
    TextWriter text(page.text);
    text.append("HTTP/1.1 100 Continue\r\n\r\n");
    page.head_size_bytes = static_cast<uint32_t>(text.size());
    page.text_size_bytes = page.head_size_bytes;
  } else {
    const Source source = source_of(id);
    page.body_size_bytes = static_cast<uint32_t>(source.body.size());
    build(page, source.status, source.extra, source.body, close);
  }
  return page;
}

const Page* Pages::take_stats(const Counters& counters, const StatsView& view, bool close) {
  size_t slot = 0;
  while (slot < kStatsSlots && (stats_used_ & (1U << slot)) != 0) ++slot;
  if (slot == kStatsSlots) return nullptr;
  stats_used_ |= 1U << slot;

  TextBuffer<400> body;
  const auto line = [&body](std::string_view name, uint64_t value) {
    body.append(name).append(" ").append_decimal(value).append("\n");
  };
  line("uptime_us", view.uptime_us);
  line("requests", counters.requests);
  line("bad_requests", counters.bad_requests);
  line("opened", counters.opened);
  line("connections", view.connections);
  line("time_wait", view.time_wait);
  line("drops", counters.drops());
  line("retransmits", counters.retransmits);
  line("queue_depth", view.waiting);
  line("running", view.running);
  Page& page = stats_[slot];
  page.body_size_bytes = static_cast<uint32_t>(body.size());
  build(page, "200 OK", "Cache-Control: no-store\r\n", body.view(), close);
  return &page;
}

void Pages::give_back(const Page* page) {
  for (size_t slot = 0; slot < kStatsSlots; ++slot) {
    if (page == &stats_[slot]) stats_used_ &= ~(1U << slot);
  }
}

}  // namespace cheshire::grin
