-- SPDX-License-Identifier: BSD-3-Clause
-- Copyright (c) 2026 The Cheshire Authors

-- Runs every script of pktgen-scripts/ against fake_pktgen.lua and looks at what it did.
--   lua5.4 tests/pktgen/run_tests.lua [FOLDER OF THE TESTS] [FOLDER OF THE SCRIPTS]
-- A script that has no story below fails.

local tests_folder = arg[1] or "tests/pktgen"
local scripts_folder = arg[2] or "pktgen-scripts"
local fake_pktgen = dofile(tests_folder .. "/fake_pktgen.lua")
local flags = fake_pktgen.flags

local checks_made, failures = 0, {}
local current = "?"

local function check(condition, format, ...)
  checks_made = checks_made + 1
  if not condition then
    failures[#failures + 1] = current .. ": " .. string.format(format, ...)
    print("FAIL " .. failures[#failures])
  end
  return condition
end

local function equal(got, wanted, what)
  return check(got == wanted, "%s is %s, not %s", what, tostring(got), tostring(wanted))
end

local function story(name, body)
  current = name
  local before = #failures
  local done, problem = xpcall(body, debug.traceback)
  if not done then check(false, "%s", problem) end
  if #failures == before then print("ok   " .. name) end
end

-- Files in memory

local function memory_files()
  local files = {}
  local function open(path, mode)
    if mode == "r" and files[path] == nil then return nil, "no such file" end
    if mode == "w" then files[path] = "" end
    files[path] = files[path] or ""
    local position = 1
    return {
      write = function(self, ...)
        files[path] = files[path] .. table.concat({...})
        return self
      end,
      read = function() return files[path]:match("^[^\n]*") end,
      lines = function()
        return function()
          if position > #files[path] then return nil end
          local line = files[path]:match("^[^\n]*", position)
          position = position + #line + 1
          return line
        end
      end,
      flush = function() end,
      close = function() end,
    }
  end
  return files, open
end

-- Runs a chunk as Pktgen would, in an environment that has only what a script needs. Names that do not exist
-- are errors. Returns the fake, what was printed, and the error or nil.
local function run(source, settings, options)
  options = options or {}
  local files, open = memory_files()
  local fake_options = {ports = 1, open_file = open}
  for name, value in pairs(options) do fake_options[name] = value end
  local fake = fake_pktgen.new(fake_options)
  local printed = {}
  local boot_ms, boot_s = 7654320, 1700000000
  local temporary = 0
  local variables = {CHESHIRE_DUT_MAC = "52:54:00:00:00:01"}
  for name, value in pairs(settings or {}) do variables["CHESHIRE_" .. name:upper()] = value or nil end

  local environment = {
    pktgen = fake.pktgen,
    assert = assert, error = error, ipairs = ipairs, pairs = pairs, pcall = pcall, select = select,
    setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type,
    math = math, string = string, table = table, debug = debug,
    print = function(text) printed[#printed + 1] = text end,
    os = {
      getenv = function(name) return variables[name] end,
      time = function() return boot_s + (fake.ms + 400) // 1000 end,
      date = os.date,
      tmpname = function()
        temporary = temporary + 1
        return "/tmp/lua_" .. temporary
      end,
      remove = function(path)
        check(files[path] ~= nil, "removes %s, which is not there", path)
        files[path] = nil
      end,
    },
    io = {
      open = function(path, mode)
        if path == "/proc/uptime" then
          files[path] = string.format("%.2f 1.00\n", (boot_ms + fake.ms) / 1000)
        end
        return open(path, mode)
      end,
    },
  }
  environment.loadfile = function(path) return loadfile(path, "t", environment) end
  setmetatable(environment, {
    __index = function(_, name) error("undefined name " .. name, 2) end,
    __newindex = function(_, name) error("global " .. name .. " set", 2) end,
  })

  local chunk, problem
  if source:find("\n") then
    chunk, problem = load(source, "=inline", "t", environment)
  else
    chunk, problem = loadfile(scripts_folder .. "/" .. source, "t", environment)
  end
  assert(chunk, problem)
  local done
  done, problem = pcall(chunk)
  local text = table.concat(printed, "\n")
  files["/proc/uptime"] = nil
  local result_file = variables.CHESHIRE_RESULT_FILE or "cheshire-pktgen.txt"
  if #printed > 0 then equal(files[result_file], text .. "\n", "the result file") end
  files[result_file] = nil
  equal(next(files), nil, "a file left behind")
  return fake, text, not done and tostring(problem) or nil
end

-- What must hold after every run, whatever the script.

local function number_of(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)")
  return ((a * 256 + b) * 256 + c) * 256 + math.tointeger(tonumber(d))
end

-- Addresses, ports, and the flows that they make when both are counted up together.
local function flows_of(batch)
  local ip, port = batch.range.src_ip, batch.range.src_port
  local addresses = ip.inc == "0.0.0.0" and 1 or number_of(ip.max) - number_of(ip.min) + 1
  local ports = port.inc == 0 and 1 or port.max - port.min + 1
  local a, b = addresses, ports
  while b ~= 0 do a, b = b, a % b end
  return addresses * ports // a, addresses, ports
end

local function well_behaved(fake)
  check(#fake.batches > 0, "nothing was sent")
  equal(fake.stops >= fake.starts and "balanced" or "unbalanced", "balanced", "start and stop")
  local running = false
  for _, call in ipairs(fake.log) do
    if call[1] == "start" then
      check(not running, "start, and started already")
      running = true
    elseif call[1] == "stop" then
      running = false
    end
  end
  check(not running, "the port is left sending")
  local single = fake.ports[0].single
  for name, wanted in pairs({count = 1234, size = 256, rate = 10, burst = 16, sport = 4000, dport = 5000,
                             proto = "udp", dst_ip = "192.168.1.1", src_ip = "192.168.0.1/24",
                             dst_mac = "00:00:00:00:00:00", src_mac = "02:00:00:00:01:00"}) do
    equal(single[name], wanted, "restored " .. name)
  end
  equal(fake.ports[0].range_on, false, "range mode at the end")
  equal(fake.ports[0].range.flags, flags.ack, "TCP flags at the end")
  equal(fake.screen, "on", "the screen at the end")
  for _, batch in ipairs(fake.batches) do
    equal(batch.range.dst_ip.start, "192.0.2.10", "destination")
    equal(batch.range.dst_ip.inc, "0.0.0.0", "destination increment")
    equal(batch.range.dst_port.start, 80, "destination port")
    equal(batch.range.dst_port.inc, 0, "destination port increment")
    equal(batch.range.dst_mac.start, "52:54:00:00:00:01", "destination MAC")
    equal(batch.range.src_mac.start, "02:00:00:00:01:00", "source MAC")
    local first, last = number_of(batch.range.src_ip.min), number_of(batch.range.src_ip.max)
    check(first >> 17 == 198 << 7 | 18 >> 1 and last >> 17 == first >> 17, "sources leave 198.18.0.0/15")
    check(batch.range.src_port.min >= 1024, "source ports from %d on", batch.range.src_port.min)
    local all, addresses, ports = flows_of(batch)
    equal(all, addresses * ports, "flows of the range")
    local one_flag = batch.flags == flags.syn or batch.flags == flags.ack or batch.flags == flags.rst
    check(one_flag, "flags %d", batch.flags)
    check(batch.sequence == (batch.flags == flags.syn and 1000000 or batch.flags == flags.rst and 1000001
                             or 700000), "sequence number %d", batch.sequence)
  end
end

local function batches_with(fake, flag)
  local list = {}
  for _, batch in ipairs(fake.batches) do
    if batch.flags == flag then list[#list + 1] = batch end
  end
  return list
end

-- The stories: one list per script.

local stories = {}

stories["new_flow_rate.lua"] = {
  ["every SYN is new, and the rate is right"] = function()
    local fake, text, problem = run("new_flow_rate.lua", {rates_pps = "100000,1000000", batches = 3})
    equal(problem, nil, "error")
    well_behaved(fake)
    equal(#fake.batches, 6, "batches")
    for index, batch in ipairs(fake.batches) do
      equal(batch.flags, flags.syn, "flags")
      check(flows_of(batch) > 24576, "the range is smaller than the pool: SYNs would repeat")
      equal(batch.count, 24576 * 3 // 4, "SYNs of a start")
      local wanted_pps = index <= 3 and 100000 or 1000000
      check(math.abs(batch.pps - wanted_pps) <= wanted_pps / 1000, "rate %d", batch.pps)
    end
    check(text:find("every SYN answered: 1000000", 1, true), "result: %s", text)
  end,
  ["a slow device is found out"] = function()
    local _, text, problem = run("new_flow_rate.lua", {rates_pps = "100000,200000,500000"},
                                 {capacity_pps = 250000})
    equal(problem, nil, "error")
    check(text:find("every SYN answered: 200000", 1, true), "result: %s", text)
    check(text:find("50.00", 1, true), "half are missing at 500,000: %s", text)
  end,
  ["the number of SYNs is bounded, and the link"] = function()
    local fake, text = run("new_flow_rate.lua", {syns_max = 50000, batches = 100})
    local total = 0
    for _, batch in ipairs(fake.batches) do total = total + batch.count end
    check(total <= 50000, "%d SYNs", total)
    check(text:find("syns_max is reached", 1, true), "says so")
    _, text = run("new_flow_rate.lua", {rates_pps = "100000000,100000000"})
    check(text:find("the link carries no more", 1, true), "says that the link is full")
  end,
}

stories["established_throughput.lua"] = {
  ["flows are opened, used and closed, and the capacity is found"] = function()
    local fake, text, problem = run("established_throughput.lua", {
      flow_counts = "1,4096,65536", tolerance_percent = 0, trial_s = 1, confirm_s = 2}, {capacity_pps = 3e6})
    equal(problem, nil, "error")
    well_behaved(fake)
    local seen = {}
    for flow_count, pps in text:gmatch("\n%s+(%d+)%s+%d+%s+(%d+) ") do
      seen[#seen + 1] = flow_count
      pps = tonumber(pps)
      check(pps <= 3e6 and pps >= 0.98 * 3e6, "%s flows: %d segments/s", flow_count, pps)
    end
    equal(table.concat(seen, " "), "1 4096 65532", "numbers of flows")
    check(not text:find("%sno%s"), "all confirmed: %s", text)
    -- A batch of segments is preceded by SYNs of the same flows, twice the round.
    local opened = {}
    for _, batch in ipairs(fake.batches) do
      local key = batch.range.src_ip.min .. "-" .. batch.range.src_ip.max
      if batch.flags == flags.syn then
        equal(batch.count, 2 * flows_of(batch), "SYNs")
        check(flows_of(batch) <= 24576 * 3 // 4, "more flows than the pool has buffers")
        opened[key] = true
      elseif batch.flags == flags.ack then
        check(opened[key], "segments of flows that are not open: %s", key)
      else
        equal(batch.count, 2 * flows_of(batch), "resets")
        opened[key] = nil
      end
    end
    equal(next(opened), nil, "flows left open")
  end,
  ["a million flows come in slabs"] = function()
    local fake, text, problem = run("established_throughput.lua", {
      flow_counts = "1048576", trial_s = 1, confirm_s = 1, trials_max = 1})
    equal(problem, nil, "error")
    well_behaved(fake)
    check(text:find("1048512%s+64%s"), "flows and slabs: %s", text)
    local slabs, next_address = batches_with(fake, flags.syn), nil
    for index = 1, 64 do
      local ip = slabs[index].range.src_ip
      if next_address then equal(number_of(ip.min), next_address, "first address of a slab") end
      next_address = number_of(ip.max) + 1
    end
  end,
  ["a long trial is made of parts, because guests forget"] = function()
    local fake, _, problem = run("established_throughput.lua", {
      flow_counts = "63", trial_s = 1, confirm_s = 60, trials_max = 1})
    equal(problem, nil, "error")
    equal(#batches_with(fake, flags.ack), 1 + 3, "batches of segments")
    equal(#batches_with(fake, flags.syn), 1 + 3, "times that flows were opened")
  end,
}

stories["load_step.lua"] = {
  ["the levels are exact, and in time"] = function()
    local fake, text, problem = run("load_step.lua", {low = 16, step = 112, hold_s = 8})
    equal(problem, nil, "error")
    well_behaved(fake)
    equal(#fake.batches, 4, "batches")
    for index, wanted in ipairs({{flags.syn, 16}, {flags.syn, 112}, {flags.rst, 112}, {flags.rst, 16}}) do
      local batch = fake.batches[index]
      equal(batch.flags, wanted[1], "flags")
      equal(flows_of(batch), wanted[2], "flows")
      equal(batch.count, 2 * wanted[2], "packets")
      if index > 1 then
        local after_ms = batch.at_ms - fake.batches[index - 1].at_ms
        check(after_ms >= 8000 and after_ms < 8200, "%d ms after the one before", after_ms)
      end
    end
    local low, step = fake.batches[1].range.src_ip, fake.batches[2].range.src_ip
    check(number_of(step.min) > number_of(low.max), "the step uses the low level's clients")
    -- The clock: 8 events, in order, UTC that agrees with the milliseconds.
    local events = {}
    for ms, hour, minute, second, name, count in
        text:gmatch("(%d+)%s+%d+%-%d+%-%d+T(%d+):(%d+):([%d.]+)Z%s+(%a+ %a+)%s+(%d+)") do
      events[#events + 1] = {
        ms = tonumber(ms), name = name, count = tonumber(count),
        utc_ms = math.floor((hour * 3600 + minute * 60 + second) * 1000 + 0.5),
      }
    end
    equal(#events, 8, "events")
    for index, event in ipairs(events) do
      equal(event.utc_ms - events[1].utc_ms, event.ms - events[1].ms, "UTC of " .. event.name)
      check(index == 1 or event.ms >= events[index - 1].ms, "%s goes back in time", event.name)
    end
    -- Against the virtual clock, whose UTC is 2023-11-14T22:13:20.400 at its start.
    for index, batch in ipairs(fake.batches) do
      local event = events[2 * index - 1]
      local wanted_ms = ((22 * 60 + 13) * 60 + 20) * 1000 + 400 + batch.at_ms
      local off_ms = event.utc_ms - wanted_ms
      check(math.abs(off_ms) <= 20, "%s is told %d ms off", event.name, off_ms)
    end
    equal(events[4].name .. " " .. events[4].count, "step sent 128", "the step")
    equal(events[8].name .. " " .. events[8].count, "closed sent 0", "the end")
    check(text:find("packets sent 512, answers 256", 1, true), "sums: %s", text)
  end,
}

stories["syn_flood.lua"] = {
  ["spoofed, bounded, and no SYN twice"] = function()
    local fake, text, problem = run("syn_flood.lua", {flood_pps = 100000, flood_s = 3})
    equal(problem, nil, "error")
    well_behaved(fake)
    local total = 0
    for _, batch in ipairs(fake.batches) do
      equal(batch.flags, flags.syn, "flags")
      check(batch.count <= 24576 * 3 // 4, "a start sends %d, more than the pool has", batch.count)
      local _, addresses = flows_of(batch)
      check(addresses >= 4000, "only %d addresses", addresses)
      total = total + batch.count
    end
    equal(total, 300000, "SYNs")
    local last = fake.batches[#fake.batches]
    check(last.at_ms - fake.batches[1].at_ms < 4000, "took %d ms", last.at_ms - fake.batches[1].at_ms)
    check(text:find("sent 300000, answered 300000", 1, true), "result: %s", text)
  end,
  ["more than there are addresses is refused"] = function()
    local fake, _, problem = run("syn_flood.lua", {flood_pps = 10000000, flood_s = 600})
    check(problem and problem:find("more than there are addresses"), "error: %s", problem)
    equal(#fake.batches, 0, "batches")
    equal(fake.ports[0].single.count, 1234, "restored count")
  end,
}

local function rfc2544_figures(text)
  local figures = {}
  for bytes, bound, pps, confirmed in text:gmatch("\n%s*(%d+)%s+(%a+)%s+(%d+)%s+[%d.]+%%%s+(%a+)") do
    figures[bytes .. bound] = {pps = tonumber(pps), confirmed = confirmed == "yes"}
  end
  return figures
end

stories["rfc2544.lua"] = {
  ["the search finds what the device can do, at each size"] = function()
    for _, capacity_pps in ipairs({0.05e6, 1.234567e6, 7e6}) do
      local fake, text, problem = run("rfc2544.lua", {trial_s = 1, confirm_s = 3, rest_s = 0},
                                      {capacity_pps = capacity_pps, latency_ms = 40})
      equal(problem, nil, "error")
      well_behaved(fake)
      local figures = rfc2544_figures(text)
      for _, bytes in ipairs({64, 128, 256, 512, 1024, 1280, 1518}) do
        local line_pps = 1e10 / ((bytes + 20) * 8)
        local ndr, pdr = figures[bytes .. "NDR"], figures[bytes .. "PDR"]
        if check(ndr and pdr, "%d bytes: no figures in %s", bytes, text) then
          local best = math.min(line_pps, capacity_pps)
          local close = ndr.pps <= best + 1 and ndr.pps >= best * 0.998 - 1
          check(close, "%d bytes: NDR %d of %.0f", bytes, ndr.pps, best)
          local most = math.min(line_pps, capacity_pps / 0.995)
          close = pdr.pps <= most + 2 and pdr.pps >= most * 0.998 - 1
          check(close, "%d bytes: PDR %d of %.0f", bytes, pdr.pps, most)
          check(ndr.confirmed and pdr.confirmed, "%d bytes: not confirmed", bytes)
        end
      end
      for _, batch in ipairs(batches_with(fake, flags.syn)) do equal(batch.size, 64, "size of a SYN") end
    end
  end,
  ["strict: one frame in a million is too many"] = function()
    local _, text = run("rfc2544.lua", {frame_sizes = "64", trial_s = 1, confirm_s = 1, rest_s = 0,
                                        trials_max = 8}, {
      capacity_pps = 1e9,
      hook = function(fake)
        local answers = fake.device.answers
        fake.device.answers = function(batch, sent)
          local all = answers(batch, sent)
          if batch.flags ~= flags.ack or sent < batch.count then return math.max(0, all - 1) end
          return all - 1
        end
      end,
    })
    local figures = rfc2544_figures(text)
    equal(figures["64NDR"].pps, 0, "NDR of a device that always loses one")
    check(figures["64PDR"].pps > 14.8e6, "PDR of the same device: %d", figures["64PDR"].pps)
  end,
  ["what only passes for a short time is not a result"] = function()
    local _, text = run("rfc2544.lua", {frame_sizes = "64", trial_s = 1, confirm_s = 20, rest_s = 0,
                                        trials_max = 40}, {
      hook = function(fake)  -- 2 Mpps for ever, 4 Mpps for 5 s
        fake.device.answers = function(batch, sent)
          if batch.flags == flags.rst then return 0 end
          local capacity_pps = batch.count / batch.pps > 5 and 2e6 or 4e6
          return batch.pps <= capacity_pps and sent or math.floor(sent * capacity_pps / batch.pps)
        end
      end,
    })
    local ndr = rfc2544_figures(text)["64NDR"]
    check(ndr.pps <= 2e6 and ndr.pps > 1e6, "NDR %d", ndr.pps)
    check(ndr.confirmed, "NDR is not confirmed")
  end,
  ["answers that come late are waited for, for two seconds"] = function()
    local _, text = run("rfc2544.lua", {frame_sizes = "64", trial_s = 1, confirm_s = 1, rest_s = 0},
                        {latency_ms = 1400})
    check(rfc2544_figures(text)["64NDR"].pps > 14.8e6, "figures: %s", text)
  end,
  ["a forwarder between two ports needs no flows"] = function()
    local fake, text, problem = run("rfc2544.lua", {
      frame_sizes = "64,1518", flows = 0, rx_port = 1, trial_s = 1, confirm_s = 60, rest_s = 0},
      {ports = 2, rx_port = 1, capacity_pps = 2e6})
    equal(problem, nil, "error")
    well_behaved(fake)
    equal(#batches_with(fake, flags.syn), 0, "SYNs")
    local longest = 0
    for _, batch in ipairs(fake.batches) do longest = math.max(longest, batch.count / batch.pps) end
    check(longest > 59, "the longest trial took %.1f s", longest)
    local ndr = rfc2544_figures(text)["64NDR"]
    check(ndr.pps <= 2e6 and ndr.pps > 1.99e6, "NDR %d", ndr.pps)
  end,
}

-- Errors that all scripts share.

local function shared_stories(script)
  story(script .. ": a missing port is told", function()
    local fake, _, problem = run(script, {port = "3"})
    check(problem and problem:find("port 3 is missing: DPDK sees 1 port"), "error: %s", problem)
    equal(#fake.batches, 0, "batches")
  end)
  story(script .. ": a link that is down is told", function()
    local fake, _, problem = run(script, {}, {up = false})
    check(problem and problem:find("port 0 has no link"), "error: %s", problem)
    equal(#fake.batches, 0, "batches")
  end)
  story(script .. ": bad settings are told all at once", function()
    local fake, _, problem = run(script, {dut_mac = "01:00:5e:00:00:01", vip = "8.8.8.8", settle_ms = "5"})
    for _, part in ipairs({"group address", "neither private", "CHESHIRE_SETTLE_MS, \"5\", is not in"}) do
      check(problem and problem:find(part, 1, true), "no %q in %s", part, problem)
    end
    equal(#fake.log, 0, "calls")
  end)
  story(script .. ": the device's MAC is asked for", function()
    local _, _, problem = run(script, {dut_mac = ""})
    check(problem and problem:find("CHESHIRE_DUT_MAC is missing"), "error: %s", problem)
  end)
  story(script .. ": another version of Pktgen is refused", function()
    for _, version in ipairs({"24.10.3", "21.11.0", "unknown"}) do
      local fake, _, problem = run(script, {}, {version = version})
      check(problem and problem:find("these scripts are for 23.03"), "error: %s", problem)
      equal(#fake.batches, 0, "batches")
    end
  end)
  story(script .. ": a NIC that does not send is given up, and the port restored", function()
    local fake, text, problem = run(script, {}, {stuck = true})
    check(problem and problem:find("has not sent"), "error: %s", problem)
    check(text:find("stopped: port 0 has not sent", 1, true), "printed: %s", text)
    equal(fake.ports[0].single.count, 1234, "restored count")
    equal(fake.ports[0].batch, nil, "a batch that is being sent")
    equal(fake.screen, "on", "the screen")
  end)
end

-- The stand-in refuses what it should: each line alone must fail, with these words.

local refused = {
  {"pktgen.set_tcp_flags('0', 'syn')", "no pktgen.set_tcp_flags"},
  {"pktgen.range.tcp_flags('0', 'syn')", "no range.tcp_flags"},
  {"pktgen.info.numa = 1", "info.numa is not to be set"},
  {"return pktgen.info.speed", "no info.speed"},
  {"pktgen.start(0)", "is not a port as text"},
  {"pktgen.start('0', 1)", "takes 1 arguments, not 2"},
  {"pktgen.start('1')", "port 1 is not mapped"},
  {"pktgen.start()", "takes 1 arguments, not 0"},
  {"pktgen.set('0', 'speed', 1)", "is none of"},
  {"pktgen.set('0', 'rate', 101)", "is not in"},
  {"pktgen.set('0', 'rate', 0)", "is not in"},
  {"pktgen.set('0', 'size', 60)", "is not in 64 to 1518"},
  {"pktgen.set('0', 'size', '64')", "is not a whole number"},
  {"pktgen.set('0', 'count', 1.5)", "is not a whole number"},
  {"pktgen.set('0', 'count', 2^32)", "is not in"},
  {"pktgen.delay(1.5)", "is not a whole number"},
  {"pktgen.range.src_port('0', 'inc', 65)", "is not in 0 to 64"},
  {"pktgen.range.src_port('0', 'step', 1)", "is none of"},
  {"pktgen.range.src_ip('0', 'start', '300.1.1.1')", "is not an IPv4 address"},
  {"pktgen.range.src_ip('0', 'start', 1)", "is not an IPv4 address"},
  {"pktgen.range.dst_mac('0', 'start', '1:2:3:4:5:6')", "is not a MAC address"},
  {"pktgen.set_ipaddr('0', 'src', '10.0.0.1')", "prefix length"},
  {"pktgen.set_range('0', 'yes')", "is none of on, off"},
  {"pktgen.portStats('0')", "takes 2 arguments, not 1"},
  {"pktgen.load('nothing.pkt')", "load command failed"},
  {"pktgen.load('x.lua')", "run as Lua"},
  {"pktgen.start('0')", "without range mode"},
  {"pktgen.set_range('0', 'on') pktgen.start('0')", "the rate would be another"},
  {"printf('x')", "undefined name printf"},
  {"leak = 1", "global leak set"},
}

local refused_commands = {
  "range 0 tcp flags syn", "range 0 tcp flag set cwr", "range tcp flag set syn", "set 0 tcp flag set syn",
  "range 0 tcp seq begin 1", "range 0 tcp seq start 3000000000",
}

for _, case in ipairs(refused) do
  story("refused: " .. case[1], function()
    local _, _, problem = run("\n" .. case[1])
    check(problem and problem:find(case[2], 1, true), "error: %s", problem)
  end)
end
for _, command in ipairs(refused_commands) do
  story("refused in a command file: " .. command, function()
    local _, _, problem = run(string.format([[
      local file = io.open("commands", "w")
      file:write(%q, "\n")
      file:close()
      local done, problem = pcall(pktgen.load, "commands")
      os.remove("commands")
      if not done then error(problem, 0) end]], command))
    check(problem and problem:find("unknown command", 1, true), "error: %s", problem)
  end)
end

story("slabs have exactly the flows that they promise", function()
  local function lib(name)
    return assert(loadfile(scripts_folder .. "/lib/" .. name .. ".lua"))(lib)
  end
  local flows = lib("flows")
  for _, case in ipairs({{1, 1, 1}, {4096, 1, 4096}, {64512, 1, 64512}, {65535, 3, 21845}, {65536, nil},
                         {131072, nil}, {1048575, 25, 41943}, {196605, 5, 39321}}) do
    local slab = flows.exactly(case[1], 0)
    equal(slab and slab.addresses, case[2], "addresses of " .. case[1])
    equal(slab and slab.ports, case[3], "ports of " .. case[1])
  end
  for _, case in ipairs({{1, 18432}, {65536, 18432}, {1048576, 18432}, {1048576, 98304}, {65536, 98304},
                         {5, 2}}) do
    local slabs, total = flows.slabs(case[1], case[2], 1000)
    local sum, address = 0, 1000
    for _, slab in ipairs(slabs) do
      check(slab.flows <= case[2], "a slab of %d in a pool of %d", slab.flows, case[2])
      equal(slab.first_address, address, "first address")
      address = address + slab.addresses
      sum = sum + slab.flows
    end
    equal(total, sum, "flows of all slabs")
    check(total <= case[1] and total >= 0.8 * case[1], "%d flows for %d", total, case[1])
  end
end)

story("the stand-in counts flows as Pktgen does", function()
  local seen, count = {}, 0
  local address, port = 0, 0
  for _ = 1, 3 * 15 do
    if not seen[address .. ":" .. port] then count = count + 1 end
    seen[address .. ":" .. port] = true
    address, port = (address + 1) % 3, (port + 1) % 5
  end
  local all = flows_of({range = {src_ip = {min = "198.18.0.1", max = "198.18.0.3", inc = "0.0.0.1"},
                                 src_port = {min = 1024, max = 1028, inc = 1}}})
  equal(all, count, "flows of 3 addresses and 5 ports")
  all = flows_of({range = {src_ip = {min = "198.18.0.0", max = "198.18.0.255", inc = "0.0.0.1"},
                           src_port = {min = 1024, max = 1024 + 4095, inc = 1}}})
  equal(all, 4096, "flows of 256 addresses and 4,096 ports")
end)

-- Every script of the folder has stories, and every story a script.

local listing = io.popen("ls '" .. scripts_folder .. "'")
local scripts = {}
for name in listing:lines() do
  if name:match("%.lua$") then scripts[#scripts + 1] = name end
end
listing:close()

story("every script has stories", function()
  local there = {}
  for _, script in ipairs(scripts) do
    there[script] = true
    check(stories[script], "%s has none: add them to tests/pktgen/run_tests.lua", script)
  end
  for script in pairs(stories) do check(there[script], "%s is not in the folder", script) end
end)

for _, script in ipairs(scripts) do
  story(script .. ": says what it is", function()
    local file = assert(io.open(scripts_folder .. "/" .. script))
    local text = file:read("a")
    file:close()
    check(text:find("^%-%- SPDX%-License%-Identifier: BSD%-3%-Clause\n"), "no SPDX line")
    for _, part in ipairs({"-- Topology", "-- Answers: ", "-- How to read it", "-- Start:  ", "-- Cheshire: ",
                           "pktgen-scripts/" .. script}) do
      check(text:find(part, 1, true), "no %q in its opening comment", part)
    end
  end)
  local names = {}
  for name in pairs(stories[script] or {}) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do story(script .. ": " .. name, stories[script][name]) end
  shared_stories(script)
end

print(string.format("%d checks, %d failures", checks_made, #failures))
os.exit(#failures == 0)
