// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "controlplane/config/command_line.h"

#include <array>

#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

struct Placeholder {
  std::string_view name;
  std::string (*fill)(const ServiceConfig& service);
};
constexpr std::array<Placeholder, 3> kPlaceholders{{
    {"guest_ip", [](const ServiceConfig& service) { return format_ipv4(service.guest_ip); }},
    {"guest_port", [](const ServiceConfig& service) { return std::to_string(service.guest_port.value()); }},
    {"gateway_ip", [](const ServiceConfig& service) { return format_ipv4(gateway_of(service.guest_ip)); }},
}};

const Placeholder* find_placeholder(std::string_view name) {
  for (const Placeholder& placeholder : kPlaceholders) {
    if (placeholder.name == name) return &placeholder;
  }
  return nullptr;
}

// The next piece of a command line, cut off its front.
struct Piece {
  enum class Kind { kText, kPlaceholder, kUnclosed } kind;
  std::string_view text;  // for a placeholder what is between the braces
};
Piece take_piece(std::string_view& rest) {
  const size_t brace = rest.find_first_of("{}");
  if (brace != 0) {
    const Piece piece{Piece::Kind::kText, rest.substr(0, brace)};
    rest.remove_prefix(piece.text.size());
    return piece;
  }
  const bool doubled = rest.starts_with("{{") || rest.starts_with("}}");
  if (doubled || rest.front() == '}') {
    const Piece piece{Piece::Kind::kText, rest.substr(0, 1)};
    rest.remove_prefix(doubled ? 2 : 1);
    return piece;
  }
  const size_t end = rest.find('}');
  if (end == std::string_view::npos) {
    const Piece piece{Piece::Kind::kUnclosed, rest};
    rest = {};
    return piece;
  }
  const Piece piece{Piece::Kind::kPlaceholder, rest.substr(1, end - 1)};
  rest.remove_prefix(end + 1);
  return piece;
}

}  // namespace

Result<void> check_command_line(std::string_view command_line) {
  std::array<std::string_view, kPlaceholders.size()> names;
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = kPlaceholders[i].name;
    known += (i == 0 ? "{" : ", {") + std::string(names[i]) + "}";
  }
  while (!command_line.empty()) {
    const Piece piece = take_piece(command_line);
    if (piece.kind == Piece::Kind::kUnclosed) {
      return Error{
          ErrorCode::kInvalidArgument,
          in_quotes(piece.text) + " has no closing brace; write } after the name, or {{ for a plain brace"};
    }
    if (piece.kind == Piece::Kind::kPlaceholder && find_placeholder(piece.text) == nullptr) {
      return Error{ErrorCode::kInvalidArgument, "there is no placeholder " + in_quotes(piece.text) +
                                                    did_you_mean(piece.text, names) + "; write one of " +
                                                    known + ", or {{ for a plain brace"};
    }
  }
  return {};
}

std::string expand_command_line(const ImageConfig& image, const ServiceConfig& service) {
  std::string expanded;
  std::string_view rest = image.command_line;
  while (!rest.empty()) {
    const Piece piece = take_piece(rest);
    if (piece.kind != Piece::Kind::kPlaceholder) {
      expanded += piece.text;
      continue;
    }
    const Placeholder* const placeholder = find_placeholder(piece.text);
    expanded += placeholder != nullptr ? placeholder->fill(service) : "{" + std::string(piece.text) + "}";
  }
  return expanded;
}

be32 gateway_of(be32 guest_ip) {
  const uint32_t first = (guest_ip.value() & 0xffffff00) | 1;
  return be32(first == guest_ip.value() ? first + 1 : first);
}

}  // namespace cheshire
