-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- The highest rate that passes: bisection after RFC 2544, 26.1. It knows nothing of Pktgen.
--
-- highest{
--   high      the highest rate worth trying
--   precision stop when the rate is known to this part of itself
--   trials    bound on the number of trials
--   try       function(rate) → true if a short trial passed
--   confirm   function(rate) → true if a long trial passed
-- } → rate, confirmed, trials
-- The search is done by short trials, and a long one confirms what they found. If it does not, short trials
-- prove nothing about this device, and the search goes on below with long ones. Rate 0: nothing passed.

local search = {}

function search.highest(task)
  local low, high, trials = 0, task.high, 0

  local function bisect(first, passes)
    local rate = first
    while trials < task.trials and high - low > task.precision * high do
      trials = trials + 1
      if passes(rate) then low = rate else high = rate end
      rate = (low + high) / 2
    end
  end

  bisect(high, task.try)
  if low == 0 then return 0, false, trials end
  if task.confirm(low) then return low, true, trials end
  low, high = 0, low
  bisect(0.9 * high, task.confirm)
  return low, low > 0, trials
end

return search
