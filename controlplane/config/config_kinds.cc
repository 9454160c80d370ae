// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// One function per kind of value: read it, and say its range and default in words.
#include <algorithm>
#include <bit>

#include "controlplane/config/config_schema.h"
#include "controlplane/config/config_values.h"

namespace cheshire {
namespace {

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalidArgument, std::move(what)};
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

bool has_control_byte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// ---- range in words

std::string range_of(const TextValue& value) {
  return value.form;
}
std::string range_of(const CountValue& value) {
  std::string range = std::to_string(value.min) + " to " + std::to_string(value.max);
  for (const auto& [word, meaning] : value.words) range += ", or " + std::string(word);
  switch (value.powers) {
    case CountValue::Powers::kAny:
      return range;
    case CountValue::Powers::kRequired:
      return range + ", a power of two";
    case CountValue::Powers::kRoundUp:
      return range + ", rounded up to a power of two";
  }
  return range;
}
std::string range_of(const DurationValue& value) {
  return (value.or_zero ? "0, or " : "") + format_duration(value.min_ns) + " to " +
         format_duration(value.max_ns);
}
std::string range_of(const SizeValue& value) {
  return format_size(value.min_bytes) + " to " + format_size(value.max_bytes) + ", a multiple of " +
         format_size(value.multiple_of);
}
std::string range_of(const FlagValue& /*value*/) {
  return "true or false";
}
std::string range_of(const ChoiceValue& value) {
  return "one of " + joined(value.words);
}
std::string range_of(const EndpointValue& /*value*/) {
  return "IPv4 address:port";
}
std::string range_of(const TextListValue& value) {
  return value.form;
}
std::string range_of(const MapListValue& value) {
  return "a list of at most " + std::to_string(value.max) + " maps";
}
std::string range_of(const NamedMapsValue& value) {
  return "a map of 1 to " + std::to_string(value.max) + " names";
}

// ---- default in words

std::string default_of(const TextValue& value) {
  return value.into->empty() ? "empty" : *value.into;
}
std::string default_of(const CountValue& value) {
  const uint64_t number = std::visit([](const auto* into) { return uint64_t{*into}; }, value.into);
  for (const auto& [word, meaning] : value.words) {
    if (number == meaning) return std::string(word);
  }
  return std::to_string(number);
}
std::string default_of(const DurationValue& value) {
  return format_duration(*value.into_ns);
}
std::string default_of(const SizeValue& value) {
  return format_size(*value.into_bytes);
}
std::string default_of(const FlagValue& value) {
  return *value.into ? "true" : "false";
}
std::string default_of(const ChoiceValue& value) {
  return std::string(value.words[value.chosen]);
}
std::string default_of(const EndpointValue& value) {
  return format_endpoint(*value.ip, *value.port);
}
std::string default_of(const TextListValue& /*value*/) {
  return "none";
}
std::string default_of(const MapListValue& /*value*/) {
  return "none";
}
std::string default_of(const NamedMapsValue& /*value*/) {
  return "none";
}

// ---- read

Error out_of_range(const std::string& text, const std::string& range) {
  return invalid(in_quotes(text) + " is out of range; write " + range);
}

Result<void> read(const TextValue& value, const std::string& text) {
  const std::string form = std::string("; write ") + value.form;
  if (text.size() < value.bytes_min) return invalid("is empty" + form);
  if (text.size() > value.bytes_max) {
    return invalid("is longer than " + std::to_string(value.bytes_max) + " bytes" + form);
  }
  if (has_control_byte(text)) return invalid(in_quotes(text) + " has a control character" + form);
  if (value.fits != nullptr && !value.fits(text)) return invalid(in_quotes(text) + " does not fit" + form);
  *value.into = text;
  return {};
}

Result<void> read(const CountValue& value, const std::string& text) {
  const auto write = [&value](uint64_t number) {
    std::visit([number](auto* into) { *into = static_cast<std::remove_pointer_t<decltype(into)>>(number); },
               value.into);
  };
  for (const auto& [word, meaning] : value.words) {
    if (text != word) continue;
    write(meaning);
    return {};
  }
  const std::string range = range_of(value);
  const Result<uint64_t> parsed = parse_count(text);
  if (!parsed.ok()) return invalid(parsed.error().what + ", " + range);
  uint64_t number = parsed.value();
  if (number < value.min || number > value.max) return out_of_range(text, range);
  if (value.powers == CountValue::Powers::kRequired && !std::has_single_bit(number)) {
    return invalid(text + " is not a power of two; write " + std::to_string(std::bit_floor(number)) + " or " +
                   std::to_string(std::min(std::bit_ceil(number), value.max)));
  }
  if (value.powers == CountValue::Powers::kRoundUp) number = std::bit_ceil(number);
  write(number);
  return {};
}

Result<void> read(const DurationValue& value, const std::string& text) {
  const Result<uint64_t> parsed = parse_duration_ns(text);
  if (!parsed.ok()) return parsed.error();
  const uint64_t ns = parsed.value();
  const bool in_range = ns >= value.min_ns && ns <= value.max_ns;
  if (!in_range && !(value.or_zero && ns == 0)) return out_of_range(text, range_of(value));
  *value.into_ns = ns;
  return {};
}

Result<void> read(const SizeValue& value, const std::string& text) {
  const Result<uint64_t> parsed = parse_size_bytes(text);
  if (!parsed.ok()) return parsed.error();
  const uint64_t bytes = parsed.value();
  if (bytes < value.min_bytes || bytes > value.max_bytes) return out_of_range(text, range_of(value));
  if (const uint64_t rest = bytes % value.multiple_of; rest != 0) {
    return invalid(text + " is not a multiple of " + format_size(value.multiple_of) + "; write " +
                   format_size(bytes - rest) + " or " + format_size(bytes - rest + value.multiple_of));
  }
  *value.into_bytes = bytes;
  return {};
}

Result<void> read(const FlagValue& value, const std::string& text) {
  const Result<bool> parsed = parse_flag(text);
  if (!parsed.ok()) return parsed.error();
  *value.into = parsed.value();
  return {};
}

Result<void> read(const ChoiceValue& value, const std::string& text) {
  const auto found = std::find(value.words.begin(), value.words.end(), text);
  if (found == value.words.end()) {
    return invalid(in_quotes(text) + " is not known" + did_you_mean(text, value.words) + "; write " +
                   range_of(value));
  }
  value.choose(static_cast<size_t>(found - value.words.begin()));
  return {};
}

Result<void> read(const EndpointValue& value, const std::string& text) {
  const Result<Endpoint> parsed = parse_endpoint(text);
  if (!parsed.ok()) return parsed.error();
  *value.ip = parsed.value().ip;
  *value.port = parsed.value().port;
  return {};
}

// Lists and maps are read by ConfigReader; here comes a scalar in their place.
Result<void> read(const TextListValue& value, const std::string& text) {
  if (value.or_one) {
    value.into->push_back(text);
    return {};
  }
  return invalid(in_quotes(text) + " is a single value; write " + value.form);
}

Result<void> read(const MapListValue& /*value*/, const std::string& text) {
  return invalid(in_quotes(text) + " is a single value; write a list, each item a map of keys");
}

Result<void> read(const NamedMapsValue& /*value*/, const std::string& text) {
  return invalid(in_quotes(text) + " is a single value; write a map of names");
}

}  // namespace

Result<void> read_value(const Key& key, const std::string& text) {
  return std::visit([&](const auto& value) { return read(value, text); }, key.value);
}

std::string range_words(const Key& key) {
  return std::visit([](const auto& value) { return range_of(value); }, key.value);
}

std::string default_words(const Key& key) {
  if (key.required) return "required";
  if (key.default_words != nullptr) return key.default_words;
  return std::visit([](const auto& value) { return default_of(value); }, key.value);
}

}  // namespace cheshire
