-- What wrk sends, and the figures it hands back in one line.
--
-- BENCH_METHOD  POST if left out
-- BENCH_BODY    the file that holds the request's body
-- BENCH_TOKEN   the bearer token, if any
-- BENCH_NAMES   what numbered names begin with: the path or the body then hold
--               {name}, and every request has its own
-- BENCH_FROM    the number that comes first
-- BENCH_RANGE   names are drawn from so many instead, in no order

local function file(path)
  local handle = assert(io.open(path, "rb"))
  local text = handle:read("*a")
  handle:close()
  return text
end

wrk.method = os.getenv("BENCH_METHOD") or "POST"
wrk.body = file(os.getenv("BENCH_BODY"))
wrk.headers["Content-Type"] = "application/json"

local token = os.getenv("BENCH_TOKEN")
if token then
  wrk.headers["Authorization"] = "Bearer " .. token
end

local names = os.getenv("BENCH_NAMES")
if names then
  local first = tonumber(os.getenv("BENCH_FROM") or "0")
  local range = tonumber(os.getenv("BENCH_RANGE") or "0")
  local path, body, count
  function init(arguments)
    path, body, count = wrk.path, wrk.body, first
    math.randomseed(first + 1)
  end
  function request()
    local number = count
    if range > 0 then
      number = first + math.random(0, range - 1)
    end
    count = count + 1
    local name = names .. "-" .. number
    return wrk.format(nil, (path:gsub("{name}", name)), nil, (body:gsub("{name}", name)))
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "figures requests=%d microseconds=%d p50=%d p90=%d p99=%d max=%d refused=%d broken=%d\n",
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
