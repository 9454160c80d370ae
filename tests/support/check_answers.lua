-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- For wrk: compares every body with $EXPECTED_BODY, byte by byte, and prints how many differed.
local expected = os.getenv("EXPECTED_BODY")
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrong = 0
end

function response(status, headers, body)
  if status ~= 200 or body ~= expected then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local sum = 0
  for _, thread in ipairs(threads) do
    sum = sum + thread:get("wrong")
  end
  print("wrong answers: " .. sum)
end
