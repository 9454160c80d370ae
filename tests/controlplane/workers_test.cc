// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// Which worker owns what, and that a row of the load board changes its writer only after the old one's last word.
#include <gtest/gtest.h>

#include "tests/controlplane/operator.h"

namespace cheshire::test {
namespace {

ServiceConfig named(const char* name, uint16_t port, uint32_t worker = kAnyWorker) {
  ServiceConfig service = service_config(only_one());
  service.name = name;
  service.port = be16(port);
  service.worker = worker;
  return service;
}

// web, api and more of two workers.
Config of_two_workers(std::vector<ServiceConfig> services) {
  Config config = one_service(only_one());
  config.eal.lcores = {0, 1};
  config.services = std::move(services);
  return config;
}

std::string owners(ControlStage& stage) {
  std::string words;
  for (const SteeringService& service : stage.table().services()) {
    words += (words.empty() ? "" : " ") + std::to_string(service.worker);
  }
  return words;
}

TEST(Owner, services_are_taken_in_turn_or_as_the_config_says) {
  ControlStage stage(of_two_workers({named("a", 1), named("b", 2), named("c", 3), named("d", 4, 0)}));
  stage.tick();
  EXPECT_EQ(owners(stage), "0 1 0 0");
}

TEST(Owner, a_reload_in_another_order_changes_no_owner) {
  const Config file = with_spare(of_two_workers({named("a", 1), named("b", 2)}), 0, 2);
  ControlStage stage(file);
  stage.tick();
  Config turned = file;
  std::swap(turned.services[0], turned.services[1]);
  turned.services.insert(turned.services.begin(), named("c", 3, 1));
  turned.services[0].instances_max = 0;
  static_cast<void>(told(stage, reload_of(turned)));
  stage.tick();
  EXPECT_EQ(owners(stage), "0 1 1");
}

TEST(Owner, another_one_for_a_service_that_runs_is_refused) {
  const Config file = of_two_workers({named("a", 1), named("b", 2)});
  ControlStage stage(file);
  Config other = file;
  other.services[1].worker = 0;
  EXPECT_NE(refusal(stage, reload_of(other))
                .find("services.b.worker: cannot change while its connections are open"),
            std::string::npos);
  other.services[1].worker = 1;  // the same, said aloud
  static_cast<void>(told(stage, reload_of(other)));
}

TEST(Owner, a_slot_changes_hands_only_after_its_worker_has_forgotten_the_flows) {
  const Config file = with_spare(of_two_workers({named("web", 80), named("api", 443)}), 0, 1);
  ControlStage stage(file);
  has_served(stage);
  stage.has_flows(0, 1);
  Config without = file;
  without.services = {named("api", 443), named("new", 444, 1)};
  without.services[1].instances_max = 0;
  static_cast<void>(told(stage, reload_of(without)));
  WorkerLoad& owner = stage.board().worker(0);
  stage.has_flows(0, 0);
  owner.sweeps_begun.increment();  // the worker has taken the table without it, and looks for its flows
  stage.advance(100 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).state, InstanceState::kAbsent);
  EXPECT_EQ(stage.instance(0).service, ServiceIndex{0}) << "it is not given back yet";
  without.services[1].instances_max = 1;
  static_cast<void>(told(stage, reload_of(without)));
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).service, ServiceIndex{0});
  owner.sweeps_done.publish(1);
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).service, ServiceIndex{2}) << "now it is of the service that wanted one";
}

TEST(Owner, what_one_worker_had_to_forget_is_not_asked_of_the_next) {
  const Config file = with_spare(of_two_workers({named("web", 80), named("api", 443)}), 0, 1);
  ControlStage stage(file);
  has_served(stage);
  Config another = file;
  another.services = {named("api", 443), named("new", 444, 1)};
  stage.board().worker(0).sweeps_begun.increment();
  stage.board().worker(0).sweeps_done.publish(1);
  static_cast<void>(told(stage, reload_of(another)));
  stage.advance(100 * kNsPerMs);
  ASSERT_EQ(stage.instance(0).service, ServiceIndex{2}) << "of worker 1, which has never swept";
  another.services.pop_back();
  static_cast<void>(told(stage, reload_of(another)));
  stage.advance(10 * kNsPerMs);
  EXPECT_EQ(stage.instance(0).service, kNobodys);
  EXPECT_TRUE(stage.control().config().services[2].name.empty()) << "nothing is left of it";
}

TEST(Owner, an_index_is_used_again_only_after_every_worker_has_forgotten_the_service) {
  const Config file = with_spare(of_two_workers({named("web", 80), named("api", 443)}), 0, 0);
  ControlStage stage(file);
  stage.tick();
  Config without = file;
  without.services = {named("api", 443)};
  static_cast<void>(told(stage, reload_of(without)));
  stage.stop_worker();
  stage.advance(10 * kNsPerMs);
  ASSERT_TRUE(stage.control().config().services[0].name.empty()) << "its index is free";
  Config file_again = without;
  file_again.services.push_back(named("shop", 444, 1));
  file_again.services[1].instances_max = 0;
  EXPECT_NE(refusal(stage, reload_of(file_again)).find("no room for one more service"), std::string::npos)
      << "a worker may still count for the service that had it";
  stage.start_worker();
  stage.advance(kNsPerMs);
  static_cast<void>(told(stage, reload_of(file_again)));
  stage.tick();
  EXPECT_EQ(owners(stage), "1 1");
}

}  // namespace
}  // namespace cheshire::test
