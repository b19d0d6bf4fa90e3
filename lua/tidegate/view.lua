--[[
Views: how scripts see records. This comment is the definition of what scripts
see; two implementations follow it and every SDK test runs over both:
  - this file, over FFI (host.jit true): opaque references with metatypes;
  - core/script, classic C metamethods (host.jit false): host.classic.

VALUES, as read from a field, an element, r.value, r.key or a header
  absent field, element past the end  nil
  null                                tide.null
  boolean                             boolean
  INT8..INT64                         number within +-2^53, else int64 cdata
  FLOAT32, FLOAT64                    number
  number text (NUM)                   number; an integer outside +-2^53 that
                                      fits int64 reads as int64 cdata
  string, escaped string, bytes       Lua string
  array, map, struct, pairs           a view of it
tide.null is one cdata NULL pointer (both faces): `x == nil` is true for null
and for absent, `x == tide.null` only tells null from values by `x ~= nil`, and
null is TRUE in a condition. Anything done with it is an error: indexing
"field 'x' of null", length, concatenation, arithmetic, calling.

VALUES, as written to a field, an element, r.value, r.key or a header
  nil           deletes the field (no-op when absent); array: removes the last
                element, any other place is an error. r.value, r.key: null.
  tide.null     null
  boolean       boolean
  number        tg_put_number; NaN and infinities are errors (from C)
  int64 cdata   tg_put_int64; uint64 cdata up to 2^63-1 too; other cdata: error
  string        tg_put_text; tg_put_bytes when the slot holds bytes
  tide.bytes(s) tg_put_bytes: table {s} with metatable host markers.bytes
  tide.raw(c,s) cells only (r.value, r.key, header): tg_cell_put_encoded; table
                {s, c} with metatable markers.raw
  view          tg_put_copy of what it shows (deep; number text is kept)
  table         host.put_table: see TABLES
  others        error "cannot store a function in field 'x'"
A status < 0 from C becomes a Lua error with tg_ffi_error(), raised at level 2
(the script's line). A write of an equal value changes nothing (C does that).

VALUE VIEWS (v: map, struct, array, pairs)
  every access first checks node.born == serial of the current batch, else error
  "a value of an earlier batch was used: copy what you keep (tide.str, fields)".
  v.name, v["name"]  map, struct: the field. Any other key type is an error
                     "field names are strings, got number". A user's field may
                     have any name ("n", "slots"): no member hides it.
  v[i]               array: i an integer number (or int64 cdata), 1-based;
                     outside 1..#v reads nil; any other key type, also a
                     numeric string, is an error "array index must be a number,
                     got string 'x'"; fractions too.
  v[k]               pairs: linear search for an equal key (number, string,
                     boolean); writing a new key appends.
  v.name = x         overwrites in place, or appends the field
  v[i] = x           1..#v, or #v + 1 to append; else error "array index 9 is
                     out of range 1..4"
  #v                 array: elements; map, struct: fields; pairs: entries
  pairs(v)           map, struct: name, value in order; array: as ipairs; pairs:
                     key, value. The current field may be changed or deleted;
                     nulls come as tide.null. State is {v, i}: next(state, key)
                     goes to slot i + 1, or stays when the name at slot i is no
                     longer `key` (it was deleted).
  ipairs(v)          array: 1..#v, including nulls; else error. next(v, i).
  tostring(v)        its JSON text
  v1 == v2           same node
  arithmetic, call, concatenation: errors

RECORDS (r)
  r.value r.key      read opens the cell (tg_cell_open; failing is an error with
                     tg_ffi_error()); write replaces the whole cell
  r.topic            string; write: string
  r.partition        number, nil when -1; write: integer >= 0, or nil
  r.timestamp        ms as number (int64 cdata outside +-2^53), nil when -1;
                     write: integral number or int64, or nil
  r.offset           origin_offset when origin_topic is set (sink), else nil;
                     read only, as:
  r.origin_topic r.origin_partition  consumed topic and partition, else nil
  r.headers          headers view
  r:drop()           verdict TG_DROP         r:keep()  verdict TG_KEEP
  r:reject(reason)   verdict TG_REJECT; reason string
  r:retry()          verdict TG_RETRY (sinks)   r:done()  TG_DONE
  r:split()          a new record after r (tg_record_split), as view
  r:source(part, offset)  sources: part the number ctx:partition returned,
                     offset integral number, int64 or a plain table (JSON)
  any other name: error "records have no field 'x'; there are value, key, topic,
  partition, timestamp, offset, headers, ..." for reads and writes.
  each access checks record.batch == current batch, else the error of views.

HEADERS (h = r.headers)
  h:get(name)        value of the last header of that name, nil when absent
  h:all(name)        plain table of all values of that name
  h:set(name, x)     removes all of that name, adds one
  h:add(name, x)     appends
  h:remove(name)     removes all, returns how many
  #h                 number of headers
  pairs(h)           name, value in order (one pair per header)
  h.name             error "use headers:get('name')"

BATCH (one object per VM; it shows the current batch of the slot)
  batch:each()       next, batch, lo: (i, r) for records of [lo, hi) with verdict
                     KEEP; i is 1-based in the batch; writes batch.cursor = i-1.
                     A generic step with a foreign or out-of-range control value
                     ends the loop; it never reads outside [lo, hi).
  #batch             hi - lo
  batch.max          most records wanted (source poll)
  batch:append()     source: new record view, nil when full
  outside a call: error "there is no batch outside poll, put and apply"

TABLES (host.put_table), raw access only
  metatable markers.array: array of t[1..#t]; markers.map: map, names sorted by
  bytes; markers.ordered: list name, value, name, value, ... in that order
  plain table: with t[1] an array (a string key beside it, or a hole, is an
  error); else a map with names sorted. {} is an empty map. Keys of maps are
  strings. Values as in "written" (nil impossible, markers.raw not allowed), at
  most 512 deep.
  host.put_table(ptr, is_cell, slot, name, t) -> true | nil, message
    ptr: pointer cdata (tg_node * or tg_cell *): C reads
    *(void *const *)lua_topointer(L, 1). slot, name as tg_put_*; name a string
    or nil.

WHAT C GETS FROM BOOT: host.adopt(t), once, both faces
  t.null             the null cdata; C pushes exactly this object for null
  t.markers          {array, map, ordered, bytes, raw}: metatables
  t.int64            cdata int64_t[1], t.int64_new() -> int64 cdata of it: how C
                     pushes an int64 outside +-2^53 (lua_topointer(t.int64))
  t.classify(x)      for a cdata (lua_type 10) or other value C does not know:
                     "null"; "int64" (stored in t.int64[0]); "view" (node address
                     stored in t.pointer, a void *[1] cdata); nil: not storable

WHAT boot.lua NEEDS OF host.classic (host.jit false); nodes and records pass as
addresses: light userdata C -> Lua, pointer cdata Lua -> C
  batch              the batch object (reads the slot given to host.batch_slot)
  node(x)            address of the node when x is a value view (raises the
                     error of views when it is stale), else nil
  record(x)          the same for record views
  wrap(ptr)          view of a tg_node *;  wrap_record(ptr)  of a tg_record *
  pairs, ipairs      replacements that know views; for the environments of
                     plugins (in the FFI face Lua's own work)
--]]
