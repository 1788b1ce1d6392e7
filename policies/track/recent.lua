-- What the Lua twins of trackalert's policies share; see recent/src/lib.rs.
local recent = {}

recent.DAY = 86400
-- Reports of one question: what a policy holds of them at once.
recent.MOST = 1000
-- Logins that are looked at together.
recent.TOGETHER = 200
-- Seconds before the end of the last run in which reports are looked for once more: those that showed in the store late.
recent.OVERLAP = 15
-- Times of reports are whole milliseconds.
recent.MOMENT = 0.001
recent.TRUSTED = { "none", "good" }

-- An answer of the report store, or the error that ends this run.
function recent.answer(value, why)
    if value == nil and why ~= nil then
        error("the report store: " .. why)
    end
    return value
end

-- The settings with their defaults; a name that there is not is a mistake.
function recent.settings(policy, defaults, given)
    for name, value in pairs(given or {}) do
        if defaults[name] == nil then
            error(policy .. ": there is no setting " .. tostring(name))
        end
        if name == "scan" then
            value = recent.settings(policy .. ": scan", defaults.scan, value)
        end
        defaults[name] = value
    end
    return defaults
end

function recent.scan()
    return {
        window = 120, lag = 5, seconds = 45, catch_up = 900, remember = 3600, remembered = 500000, channels = {},
        confirm = true,
    }
end

-- Refuses what makes no sense.
function recent.check(scan)
    for name, most in pairs({ window = 86400, seconds = 86400, catch_up = 86400, remember = 86400, remembered = 4000000 }) do
        local value = scan[name]
        if type(value) ~= "number" or value < 1 or value > most then
            error(("setting %q: must be from 1 to %d"):format(name, most))
        end
    end
end

-- Hashes of texts that nobody can choose so that two meet: polynomials at random places, of 52 bits together.
local PRIME, LOW = 2147483647, 2097152

local function random_places()
    local file = io.open("/dev/urandom", "rb")
    local bytes = file and file:read(6)
    if file then
        file:close()
    end
    if not bytes or #bytes < 6 then
        error("no random numbers can be read from /dev/urandom")
    end
    local a, b, c, d, e, f = bytes:byte(1, 6)
    local half = LOW / 2
    -- Between 2^20 and 2^21, so that products are whole numbers below 2^53.
    return half + (a * 65536 + b * 256 + c) % half, half + (d * 65536 + e * 256 + f) % half
end

local one, other = random_places()

local function hash(text)
    local byte, left, right = string.byte, #text, #text
    for place = 1, #text, 3 do
        local a, b, c = byte(text, place, place + 2)
        local part = a + (b or 0) * 256 + (c or 0) * 65536 + 1
        left, right = (left * one + part) % PRIME, (right * other + part) % PRIME
    end
    return left * LOW + right % LOW
end

-- What was looked at a while ago, by its hash, with a value; see recent/src/memory.rs. When it is full the older half is
-- forgotten.
function recent.memory(scan)
    local stamps, values, count, now = {}, {}, 0, 0
    local memory = {}

    local function is_over(key, stamp)
        return now - stamp > scan.remember * (0.5 + key % 256 / 510)
    end

    -- Keeps what came after a time and is not over.
    local function keep(after)
        local kept, kept_values, number = {}, {}, 0
        for key, stamp in pairs(stamps) do
            if stamp > after and not is_over(key, stamp) then
                kept[key], kept_values[key], number = stamp, values[key], number + 1
            end
        end
        stamps, values, count = kept, kept_values, number
    end

    -- A time before or at which half of them came.
    local function median()
        local times, sorted = {}, {}
        for _, stamp in pairs(stamps) do
            times[stamp] = (times[stamp] or 0) + 1
        end
        for stamp in pairs(times) do
            sorted[#sorted + 1] = stamp
        end
        table.sort(sorted)
        local half = count / 2
        for _, stamp in ipairs(sorted) do
            half = half - times[stamp]
            if half <= 0 then
                return stamp
            end
        end
        return now
    end

    function memory.set_time(time)
        if time < now then
            memory.clear()
        end
        now = time
    end

    memory.key = hash

    function memory.get(key)
        local stamp = stamps[key]
        if stamp and not is_over(key, stamp) then
            local value = values[key]
            if value == nil then
                return true
            end
            return value
        end
    end

    -- Remembers something from now on. Without a value it takes less room.
    function memory.put(key, value)
        if not stamps[key] then
            if count >= scan.remembered then
                keep(math.min(median(), now))
            end
            count = count + 1
        end
        stamps[key], values[key] = now, value
    end

    -- Changes the value of something, which is remembered for no longer than before.
    function memory.update(key, value)
        if stamps[key] then
            values[key] = value
        end
    end

    function memory.clear()
        stamps, values, count = {}, {}, 0
    end

    function memory.count()
        return count
    end

    return memory
end

-- Logins that were told of. Others like them, in `scan.window` from then on, are of the same burst.
function recent.told(scan)
    local times, count = {}, 0
    local told = {}

    function told.has(report, key)
        return times[key] ~= nil and report.t - times[key] < scan.window
    end

    function told.add(report, key)
        if count >= 1000 then
            count = 0
            for other_key, time in pairs(times) do
                if report.t - time < scan.window then
                    count = count + 1
                else
                    times[other_key] = nil
                end
            end
        end
        times[key], count = report.t, count + 1
    end

    return told
end

-- Logins that are alike to the policy (of which `apart` makes the same text) are looked at once in a while: of which nothing was to
-- be told, for `scan.remember`; those that were told of, for `scan.window`. `usual` says of several, each of its own kind, of which
-- nothing is to be told; `look` of another one whether it was told of.
function recent.looked(scan)
    local memory, told = recent.memory(scan), recent.told(scan)
    local looked = {}

    function looked.begin()
        memory.set_time(os.time())
    end

    function looked.at(reports, apart, usual, look)
        local waiting, keys = reports, {}
        for _, report in ipairs(reports) do
            keys[report.id] = hash(apart(report))
        end
        while true do
            -- Of those alike the oldest first; whether the others are looked at depends on it.
            local first, others, kinds = {}, {}, {}
            for _, report in ipairs(waiting) do
                local key = keys[report.id]
                if not memory.get(key) and not told.has(report, key) then
                    local list = kinds[key] and others or first
                    kinds[key], list[#list + 1] = true, report
                end
            end
            if #first == 0 then
                return
            end
            local groups = { first }
            while #groups > 0 do
                local group = table.remove(groups)
                local fine, is_usual = pcall(usual, group)
                if fine then
                    for place, report in ipairs(group) do
                        local key = keys[report.id]
                        if not is_usual[place] and look(report) then
                            told.add(report, key)
                        else
                            memory.put(key)
                        end
                    end
                elseif #group == 1 then
                    error(is_usual, 0)
                else
                    -- One that takes too long must not keep the others from being looked at.
                    local half = math.floor(#group / 2)
                    groups[#groups + 1] = { unpack(group, half + 1) }
                    groups[#groups + 1] = { unpack(group, 1, half) }
                end
            end
            waiting = others
        end
    end

    return looked
end

-- How far the runs in this state have come: everything before the time `t`, and, where a run to `stop` ended early, what comes up to
-- the report `id` at that time. `fields`: what is wanted of each login beside user, address and time.
function recent.walk(scan, fields)
    recent.check(scan)
    local done
    local walk = {}

    local function most()
        return math.max(scan.catch_up, scan.window)
    end

    local function skipped(stop)
        return done and math.max(stop - done.t - most(), 0) or 0
    end

    -- Whether the next run has to leave something out, because the last one is too long ago.
    function walk.skips()
        return skipped(os.time() - scan.lag) > 0
    end

    local function begin(stop)
        local left_out = skipped(stop)
        if left_out > 0 then
            warnLog(("the last run here came to %.0f s ago, and one looks back %.0f s at most: %.0f s were left out")
                :format(left_out + most(), most(), left_out), {})
            return { t = stop - most() }
        end
        if done and done.t <= stop + recent.OVERLAP then
            if done.id and done.t <= done.stop - recent.OVERLAP then
                return done
            end
            -- Of before this some may still show.
            return { t = done.t - recent.OVERLAP }
        end
        -- There was none, or the clock was put back since.
        return { t = stop - scan.window }
    end

    -- Calls `each` with the successful logins since the last run, oldest first and TOGETHER at a time, until all were looked at
    -- or the time of the run is over. They come page by page: where thousands log in each second all of them would not fit into
    -- a state's memory. After an error the next run goes on with the same logins.
    function walk.successes(each)
        local began = os.time()
        local stop = began - scan.lag
        local place = begin(stop)
        local filter = { since = place.t, before = stop, success = true, confirmations = recent.TRUSTED }
        local after = place.id and place or nil
        while true do
            local page = recent.answer(reportsFindOldest(filter, recent.MOST, after, fields))
            for first = 1, #page, recent.TOGETHER do
                local some = { unpack(page, first, math.min(first + recent.TOGETHER - 1, #page)) }
                each(some)
                local report = some[#some]
                after = { t = report.t, id = report.id }
                done = { t = report.t, id = report.id, stop = stop }
                if os.time() - began >= scan.seconds then
                    infoLog(("the time of this run is over, %.0f s behind: the next one goes on there")
                        :format(stop - report.t), {})
                    return
                end
            end
            if #page < recent.MOST then
                done = { t = stop }
                return
            end
        end
    end

    return walk
end

-- The good logins of a report's user before it, from so many seconds before.
function recent.before(report, seconds)
    return { since = report.t - seconds, before = report.t, login = report.login, success = true,
        confirmations = recent.TRUSTED }
end

function recent.with(filter, more)
    local copy = {}
    for name, value in pairs(filter) do
        copy[name] = value
    end
    for name, value in pairs(more) do
        copy[name] = value
    end
    return copy
end

-- What a function makes of each of a list.
function recent.each(list, make)
    local made = {}
    for place, one in ipairs(list) do
        made[place] = make(one)
    end
    return made
end

function recent.known(filter)
    return recent.answer(reportsAny(filter))
end

-- An alert about a report.
function recent.alert(scan, reason, report, severity, more)
    local told = { reason = reason, login = report.login, ip = report.remote, time = report.t, severity = severity,
        confirm = scan.confirm }
    if #scan.channels > 0 then
        told.channels = scan.channels
    end
    alert(recent.with(told, more))
end

-- Kilometres between two places on the globe.
function recent.kilometres(here, there)
    local a, b = math.rad(here.latitude), math.rad(there.latitude)
    local up, along = b - a, math.rad(there.longitude - here.longitude)
    local h = math.sin(up / 2) ^ 2 + math.cos(a) * math.cos(b) * math.sin(along / 2) ^ 2
    return 2 * 6371 * math.asin(math.min(1, math.sqrt(h)))
end

function recent.located(report)
    return report.latitude ~= 0 or report.longitude ~= 0
end

return recent
