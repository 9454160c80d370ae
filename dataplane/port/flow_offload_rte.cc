// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

#include "dataplane/port/flow_offload_rte.h"

// For rte_eth_rx_metadata_negotiate(), which has not changed since it came.
#define ALLOW_EXPERIMENTAL_API
#include <rte_ethdev.h>
#include <rte_flow.h>

#include <array>
#include <cstring>
#include <map>
#include <string>

namespace cheshire {
namespace {

constexpr uint8_t kTcp = 6;

// One rule in the library's words. The items point into the object: it stays where it is.
class RteRule {
 public:
  explicit RteRule(const FlowRule& rule);
  RteRule(const RteRule&) = delete;
  RteRule& operator=(const RteRule&) = delete;

  rte_flow_attr attributes{};
  std::array<rte_flow_item, 4> pattern{};
  std::array<rte_flow_action, 4> actions{};

 private:
  void fill_match(const FlowRule& rule);
  void fill_actions(const FlowRule& rule);

  rte_flow_item_ipv4 ip_{};
  rte_flow_item_ipv4 ip_mask_{};
  rte_flow_item_tcp tcp_{};
  rte_flow_item_tcp tcp_mask_{};
  rte_flow_action_mark mark_{};
  rte_flow_action_queue queue_{};
  rte_flow_action_rss rss_{};
  rte_flow_action_count count_{};
  std::vector<uint16_t> queues_;
};

RteRule::RteRule(const FlowRule& rule) : queues_(rule.queues) {
  attributes.ingress = 1;
  attributes.priority = rule.priority;
  fill_match(rule);
  fill_actions(rule);
}

void RteRule::fill_match(const FlowRule& rule) {
  const bool by_address = rule.match != FlowRule::Match::kAllIpv4;
  const bool by_port = rule.match == FlowRule::Match::kService || rule.match == FlowRule::Match::kFlow;
  if (by_address) {
    ip_.hdr.dst_addr = rule.vip.raw();
    ip_mask_.hdr.dst_addr = 0xffff'ffff;
  }
  if (by_port) {
    ip_.hdr.next_proto_id = kTcp;
    ip_mask_.hdr.next_proto_id = 0xff;
    tcp_.hdr.dst_port = rule.port.raw();
    tcp_mask_.hdr.dst_port = 0xffff;
  }
  if (rule.match == FlowRule::Match::kFlow) {
    ip_.hdr.src_addr = rule.client.raw();
    ip_mask_.hdr.src_addr = 0xffff'ffff;
    tcp_.hdr.src_port = rule.client_port.raw();
    tcp_mask_.hdr.src_port = 0xffff;
  }
  size_t at = 0;
  pattern[at++].type = RTE_FLOW_ITEM_TYPE_ETH;
  pattern[at].type = RTE_FLOW_ITEM_TYPE_IPV4;
  if (by_address) {
    pattern[at].spec = &ip_;
    pattern[at].mask = &ip_mask_;
  }
  ++at;
  if (by_port) {
    pattern[at].type = RTE_FLOW_ITEM_TYPE_TCP;
    pattern[at].spec = &tcp_;
    pattern[at].mask = &tcp_mask_;
    ++at;
  }
  pattern[at].type = RTE_FLOW_ITEM_TYPE_END;
}

void RteRule::fill_actions(const FlowRule& rule) {
  size_t at = 0;
  const auto add = [&](rte_flow_action_type type, const void* conf) { actions[at++] = {type, conf}; };
  add(RTE_FLOW_ACTION_TYPE_COUNT, &count_);
  if (rule.action == FlowRule::Action::kDrop) {
    add(RTE_FLOW_ACTION_TYPE_DROP, nullptr);
  } else {
    mark_.id = rule.mark;
    if (rule.mark != kNoMark) add(RTE_FLOW_ACTION_TYPE_MARK, &mark_);
    if (queues_.size() == 1) {
      queue_.index = queues_.front();
      add(RTE_FLOW_ACTION_TYPE_QUEUE, &queue_);
    } else {
      rss_.types = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP;
      rss_.queue_num = static_cast<uint32_t>(queues_.size());
      rss_.queue = queues_.data();
      add(RTE_FLOW_ACTION_TYPE_RSS, &rss_);
    }
  }
  add(RTE_FLOW_ACTION_TYPE_END, nullptr);
}

Error flow_error(const rte_flow_error& error, int code) {
  const int number = code < 0 ? -code : rte_errno;
  return {ErrorCode::kUnavailable, error.message != nullptr ? error.message : std::strerror(number)};
}

class RteFlowDevice final : public FlowDevice {
 public:
  explicit RteFlowDevice(uint16_t port_id) : port_id_(port_id) {}

  Result<void> validate(const FlowRule& rule) override {
    const RteRule words(rule);
    rte_flow_error error{};
    const int code =
        rte_flow_validate(port_id_, &words.attributes, words.pattern.data(), words.actions.data(), &error);
    if (code != 0) return flow_error(error, code);
    return {};
  }
  Result<FlowRuleHandle> create(const FlowRule& rule) override {
    const RteRule words(rule);
    rte_flow_error error{};
    rte_flow* flow =
        rte_flow_create(port_id_, &words.attributes, words.pattern.data(), words.actions.data(), &error);
    if (flow == nullptr) return flow_error(error, 0);
    flows_[++last_] = flow;
    return last_;
  }
  Result<uint64_t> packets(FlowRuleHandle handle) override {
    const auto flow = flows_.find(handle);
    if (flow == flows_.end()) return Error{ErrorCode::kInternal, "no such rule"};
    const rte_flow_action_count conf{};
    const std::array<rte_flow_action, 2> count = {
        {{RTE_FLOW_ACTION_TYPE_COUNT, &conf}, {RTE_FLOW_ACTION_TYPE_END, nullptr}}};
    rte_flow_query_count result{};
    rte_flow_error error{};
    const int code = rte_flow_query(port_id_, flow->second, count.data(), &result, &error);
    if (code != 0) return flow_error(error, code);
    if (result.hits_set == 0) return Error{ErrorCode::kUnavailable, "the counter shows nothing"};
    return result.hits;
  }
  Result<void> destroy(FlowRuleHandle handle) override {
    const auto flow = flows_.find(handle);
    if (flow == flows_.end()) return Error{ErrorCode::kInternal, "no such rule"};
    rte_flow_error error{};
    const int code = rte_flow_destroy(port_id_, flow->second, &error);
    flows_.erase(flow);
    if (code != 0) return flow_error(error, code);
    return {};
  }

 private:
  const uint16_t port_id_;
  FlowRuleHandle last_ = 0;
  std::map<FlowRuleHandle, rte_flow*> flows_;
};

}  // namespace

void ask_for_marks(uint16_t port_id) {
  uint64_t wanted = RTE_ETH_RX_METADATA_USER_MARK;
  static_cast<void>(rte_eth_rx_metadata_negotiate(port_id, &wanted));
}

std::unique_ptr<FlowDevice> make_rte_flow_device(uint16_t port_id) {
  return std::make_unique<RteFlowDevice>(port_id);
}

}  // namespace cheshire
