// SPDX-License-Identifier: BSD-3-Clause
// Copyright (c) 2026 The Cheshire Authors

// The client of bench/failfast: one open-loop load, told as JSON. See open_loop.h, and
// bench/failfast/failfast for the experiment.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "bench/failfast/open_loop.h"
#include "controlplane/config/config_values.h"
#include "units.h"

namespace cheshire::bench {
namespace {

double percentile(const std::vector<uint64_t>& sorted_ns, double share) {
  if (sorted_ns.empty()) return 0;
  const auto at = static_cast<size_t>(share * static_cast<double>(sorted_ns.size() - 1) + 0.5);
  return ns_to_ms(sorted_ns[at]);
}

nlohmann::json latencies(std::vector<uint64_t> ns) {
  std::sort(ns.begin(), ns.end());
  return {{"count", ns.size()},
          {"median_ms", percentile(ns, 0.5)},
          {"p99_ms", percentile(ns, 0.99)},
          {"max_ms", percentile(ns, 1)}};
}

nlohmann::json told(const LoadResult& result, uint64_t bucket_ns) {
  std::map<std::string, std::vector<uint64_t>> by_answer;
  std::vector<uint64_t> all;
  struct Bucket {
    std::array<uint64_t, kAnswerNames.size()> started{};  // by answer, in the bucket of their start
    uint64_t ended_200 = 0;                               // in the bucket of their end
    std::vector<uint64_t> ns_200;
    std::vector<uint64_t> ns_all;
  };
  std::map<uint64_t, Bucket> buckets;
  for (const Record& record : result.records) {
    by_answer[std::string(kAnswerNames[static_cast<size_t>(record.answer)])].push_back(record.latency_ns);
    all.push_back(record.latency_ns);
    Bucket& bucket = buckets[record.start_ns / bucket_ns];
    ++bucket.started[static_cast<size_t>(record.answer)];
    bucket.ns_all.push_back(record.latency_ns);
    if (record.answer != Answer::k200) continue;
    bucket.ns_200.push_back(record.latency_ns);
    ++buckets[(record.start_ns + record.latency_ns) / bucket_ns].ended_200;
  }
  nlohmann::json json{{"asked", result.asked},
                      {"tries", result.records.size()},
                      {"served", result.served},
                      {"late_ms", ns_to_ms(result.late_ns)},
                      {"open_most", result.open_most},
                      {"all", latencies(all)},
                      {"answers", nlohmann::json::object()},
                      {"series", nlohmann::json::array()}};
  for (auto& [name, ns] : by_answer) json["answers"][name] = latencies(ns);
  for (auto& [number, bucket] : buckets) {
    std::sort(bucket.ns_200.begin(), bucket.ns_200.end());
    std::sort(bucket.ns_all.begin(), bucket.ns_all.end());
    nlohmann::json row{
        {"second", static_cast<double>(number * bucket_ns) / 1e9},
        {"goodput", static_cast<double>(bucket.ended_200) * 1e9 / static_cast<double>(bucket_ns)},
        {"median_200_ms", percentile(bucket.ns_200, 0.5)},
        {"p99_200_ms", percentile(bucket.ns_200, 0.99)},
        {"median_ms", percentile(bucket.ns_all, 0.5)}};
    for (size_t i = 0; i < kAnswerNames.size(); ++i) row[std::string(kAnswerNames[i])] = bucket.started[i];
    json["series"].push_back(row);
  }
  return json;
}

int client_main(int argc, char** argv) {
  CLI::App app{"An open-loop HTTP load with a connection per request, told as JSON"};
  std::string target;
  std::vector<std::string> phases;
  std::string first_source;
  LoadOptions options;
  double timeout_s = 60;
  double reset_pause_s = 1;
  double bucket_s = 0.2;
  bool rude = false;
  app.add_option("target", target, "ADDRESS:PORT")->required();
  app.add_option("phases", phases, "REQUESTS_PER_SECONDxSECONDS, one after the other")->required();
  app.add_option("--requests", options.requests_max, "at most so many")->check(CLI::Range(1, 10'000'000));
  app.add_option("--first-source", first_source, "the first of the clients' addresses");
  app.add_option("--sources", options.sources, "how many of them")->check(CLI::Range(1, 4096));
  app.add_option("--timeout", timeout_s, "seconds until a request is given up")
      ->check(CLI::Range(0.1, 300.0));
  app.add_option("--retries", options.retries, "of a refused request")->check(CLI::Range(0, 100));
  app.add_option("--pause", reset_pause_s, "seconds before a retry without Retry-After");
  app.add_flag("--rude", rude, "retries after --pause, whatever Retry-After says");
  app.add_option("--bucket", bucket_s, "seconds of a row of the series")->check(CLI::Range(0.01, 60.0));
  CLI11_PARSE(app, argc, argv);

  const Result<Endpoint> endpoint = parse_endpoint(target);
  if (!endpoint.ok()) {
    std::cerr << "failfast_client: " << endpoint.error().what << "\n";
    return 2;
  }
  options.address = endpoint.value().ip;
  options.port = endpoint.value().port;
  if (!first_source.empty()) {
    const Result<Endpoint> source = parse_endpoint(first_source + ":1");
    if (!source.ok()) {
      std::cerr << "failfast_client: " << source.error().what << "\n";
      return 2;
    }
    options.first_source = source.value().ip;
  }
  for (const std::string& words : phases) {
    Phase phase;
    if (std::sscanf(words.c_str(), "%lfx%lf", &phase.per_second, &phase.seconds) != 2 ||
        phase.per_second <= 0 || phase.per_second > 1e6 || phase.seconds <= 0 || phase.seconds > 7200) {
      std::cerr << "failfast_client: '" << words << "' is no phase; write 320x30\n";
      return 2;
    }
    options.phases.push_back(phase);
  }
  options.timeout_ns = static_cast<uint64_t>(timeout_s * 1e9);
  options.reset_pause_ns = static_cast<uint64_t>(reset_pause_s * 1e9);
  options.obey_retry_after = !rude;
  const Result<LoadResult> result = run_load(options);
  if (!result.ok()) {
    std::cerr << "failfast_client: " << result.error().what << "\n";
    return 1;
  }
  std::cout << told(result.value(), static_cast<uint64_t>(bucket_s * 1e9)).dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace cheshire::bench

int main(int argc, char** argv) {
  return cheshire::bench::client_main(argc, argv);
}
