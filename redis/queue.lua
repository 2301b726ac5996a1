-- queue.lua: put in front of pub.lua, route.lua and control.lua at build time, so that all deliver alike.
-- full() whether the queue takes no more, entry() adds an entry, deliver() sends all of them: at once, as one batch
-- for each worker, where nothing waits in the queue, so that nothing older can come later, and an im_job listens.
-- Else, and for workers whose channel has no receiver, they are appended to the queue.
-- key: of the queue; at: where in KEYS are the channel of all and what channels of workers begin with; where these
-- aren't there all entries are appended.  Entries of several queues may go together: then their partitions share a
-- server, and a worker hears the channels of all of them on one connection.
local queues, entries, heard = {}, {}, nil
-- length(): of the queue; a value of another type makes way for it
local function length(key)
  local n = redis.pcall('XLEN', key)
  if type(n) ~= 'table' then return n end
  if not string.find(n.err, 'WRONGTYPE', 1, true) then error(n) end
  redis.call('UNLINK', key)
  return 0
end
local function full(key, at, cap)
  local q = queues[key]
  if not q then
    q = {key = key, n = length(key), more = 0}
    if heard == nil and q.n == 0 and KEYS[at] then heard = redis.call('PUBSUB', 'SHARDNUMSUB', key)[2] > 0 end
    q.live = q.n == 0 and heard
    queues[key] = q
  end
  return q.n + q.more >= tonumber(cap)
end
-- behind full(): t topic, e epoch, or '-MARK', s number (nil: a control entry, which may have no mark), w workers (nil:
-- all), d envelope; it gets failed, an error, if it was heard by none and the queue doesn't take it
local function entry(key, t, e, s, w, d)
  local q = queues[key]
  if not q.live then q.more = q.more + 1 end
  local x = {q = q, t = t, e = e, s = s, w = w, d = d}
  entries[#entries + 1] = x
  return x
end
-- append(): rings for the owner: publishes on the channel that is named like the queue.  A queue of 64 doesn't
-- ring: its owner has to read it anyway.
-- bell, big-endian: u32 n, u8+ID | the same, u8+t, u8+i, u32+w, d; a long entry has to be read
local function append(x)
  local q, t, d, i, w = x.q, x.t, x.d, x.e or '', ''
  if x.s then i = i .. ':' .. x.s end
  if x.w then w = table.concat(x.w, ' ') elseif not x.s then w = '*' end
  local id, n = redis.pcall('XADD', q.key, '*', 't', t, 'i', i, 'w', w, 'd', d), q.n
  if type(id) == 'table' then
    x.failed = not x.heard and id.err
    return
  end
  q.n = n + 1
  if n >= 64 then return end
  local bell = struct.pack('>I4Bc0', n, #id, id)
  if #w + #d <= 8192 then bell = bell .. struct.pack('>Bc0Bc0I4c0', #t, t, #i, i, #w, w) .. d end
  redis.call('SPUBLISH', q.key, bell)
end
-- batch(): appends an entry to bytes, as in im_push.h; a control entry has the time in ms as its number
local pack = struct.pack
local function batch(bytes, x)
  local kind, t, e, s, n = 0, x.t, x.e, x.s, #bytes
  if not s then
    local time = redis.call('TIME')
    kind, e, s = 1, e or '', time[1] * 1000 + math.floor(time[2] / 1000)
  end
  bytes[n + 1] = pack('>I4BBc0Bc0I8', 11 + #t + #e + #x.d, kind, #t, t, #e, e, s)
  bytes[n + 2] = x.d
end
-- direct(): publishes, and leaves in entries what has not been heard
local function direct(all, to)
  local batches, order, deaf, left = {}, {}, {}, {}
  local waits, last
  local function publish()
    for i = 1, #order do
      local n = redis.pcall('SPUBLISH', order[i], table.concat(batches[order[i]]))
      deaf[order[i]] = type(n) == 'table' or n == 0      -- a table: an error
      waits = waits or deaf[order[i]]
    end
    batches, order = {}, {}
  end
  local function add(channel, x)
    local bytes = batches[channel]
    if not bytes then
      bytes = {}
      order[#order + 1] = channel
      batches[channel] = bytes
    end
    batch(bytes, x)
  end
  for i = 1, #entries do
    local x = entries[i]
    local w = x.w
    if x.q.live then
      if last and not w ~= not last.w then publish() end             -- both channels reach a worker, in order
      if w then for k = 1, #w do add(to .. w[k], x) end else add(all, x) end
      last = x
    else
      waits = true
    end
  end
  publish()
  for i = 1, waits and #entries or 0 do
    local x, w = entries[i], {}
    for k = 1, x.w and #x.w or 0 do
      if not x.q.live or deaf[to .. x.w[k]] then w[#w + 1] = x.w[k] end
    end
    if #w > 0 or (not x.w and (not x.q.live or deaf[all])) then
      x.heard = x.w and #w < #x.w
      x.w = x.w and w
      left[#left + 1] = x
    end
  end
  entries = left
end
-- deliver(): the first error of those that have failed
local function deliver(at)
  local failed
  if KEYS[at] then direct(KEYS[at], KEYS[at + 1]) end
  for i = 1, #entries do
    append(entries[i])
    failed = failed or entries[i].failed
  end
  return failed
end
