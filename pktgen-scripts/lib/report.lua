-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- Where results go, and what time it is.
--
-- Pktgen wipes the screen when a script given with -f ends, so every line also goes to a file.
-- The clock is the host's UTC, in steps of 10 ms: Lua alone has whole seconds, /proc/uptime has hundredths.

local report = {}
report.__index = report

function report.open(path)
  local file, problem = io.open(path, "a")
  if not file then error("cannot write " .. path .. ": " .. problem, 0) end
  return setmetatable({file = file}, report)
end

function report:line(format, ...)
  local text = string.format(format, ...)
  print(text)
  self.file:write(text, "\n")
  self.file:flush()
end

function report:close()
  self.file:close()
end

local function uptime_ms()
  local file = io.open("/proc/uptime", "r")
  if not file then error("no /proc/uptime: these scripts need Linux", 0) end
  local text = file:read("l")
  file:close()
  return math.floor(tonumber(text:match("^[%d.]+")) * 1000 + 0.5)
end

-- Waits, up to 1.1 s, for a second to begin, and counts from there.
function report:start_clock()
  local second = os.time()
  for _ = 1, 220 do
    pktgen.delay(5)
    if os.time() ~= second then break end
  end
  self.utc_s = os.time()
  self.origin_ms = uptime_ms()
end

-- Milliseconds since start_clock(), and the same moment as UTC.
function report:now()
  local ms = uptime_ms() - self.origin_ms
  local utc = os.date("!%Y-%m-%dT%H:%M:%S", self.utc_s + ms // 1000)
  return ms, string.format("%s.%03dZ", utc, ms % 1000)
end

return report
