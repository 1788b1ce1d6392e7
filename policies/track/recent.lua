-- What the Lua twins of trackalert's policies share; see recent/src/lib.rs.
local recent = {}

recent.DAY = 86400
-- Reports of one question: what a policy holds of them at once.
recent.MOST = 2000
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
    return { window = 120, lag = 5, channels = {}, confirm = true }
end

-- Calls `each` with the successful logins of the last minutes, oldest first; of those that `apart` gives one key only with the
-- oldest: what is before a later one is that one, not what was before the burst. They come page by page: where thousands log in
-- each second all of them would not fit into a state's memory.
function recent.successes(scan, apart, each)
    local stop = os.time() - scan.lag
    local filter = { since = stop - scan.window, success = true, confirmations = recent.TRUSTED }
    local function upto(before)
        return recent.answer(reportsFind(recent.with(filter, { before = before }), recent.MOST))
    end
    -- The store answers with the newest: a first walk finds where pages end, and the way back begins with the oldest.
    local newer = {}
    local page = upto(stop)
    while #page == recent.MOST do
        -- Others of the same moment may be behind the end of the page.
        local rest = page[#page].t + recent.MOMENT
        if rest >= stop then
            -- More came in one moment than a question answers: what is before it is left out.
            break
        end
        newer[#newer + 1] = stop
        stop = rest
        page = upto(stop)
    end
    local known = {}
    while true do
        for place = #page, 1, -1 do
            local report = page[place]
            local key = apart(report)
            if not known[key] then
                known[key] = true
                each(report)
            end
        end
        local last = table.remove(newer)
        if last == nil then
            return
        end
        page = upto(last)
    end
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

function recent.known(filter)
    return recent.answer(reportsFirstAndLast(filter)) ~= nil
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

function recent.kilometres(one, other)
    local a, b = math.rad(one.latitude), math.rad(other.latitude)
    local up, along = b - a, math.rad(other.longitude - one.longitude)
    local h = math.sin(up / 2) ^ 2 + math.cos(a) * math.cos(b) * math.sin(along / 2) ^ 2
    return 2 * 6371 * math.asin(math.min(1, math.sqrt(h)))
end

function recent.located(report)
    return report.latitude ~= 0 or report.longitude ~= 0
end

return recent
