/*
 * What supervisor and child say to each other over the socketpair (framed JSON,
 * base/frame.h). Every message has "op". Unknown ops are ignored with a
 * warning.
 *
 * Child is started as `tidegate task` with fd 3 the socket and fd 4 the shared
 * page (absent for plan and broker). It never inherits other descriptors, dies
 * with its parent (PR_SET_PDEATHSIG and end of file on fd 3), and ignores
 * SIGINT (the supervisor stops it).
 *
 * supervisor -> child
 *   plan    {worker, name, config}             validate and split; then exit
 *   start   {worker, name, id, config, task, kind, offsets, embedded, paused,
 *           refused}
 *           worker: worker properties; config: connector config (expanded);
 *           task: one of the plan's task configs; kind "source"|"sink";
 *           offsets: source: [[partition, offset], ...];
 *           embedded: null, or {"bootstrap": "...", "window": bytes,
 *           "max_records": n, "assign": [["t",0],...]} (assign: sinks)
 *           refused: [{kind, alias, hash, text}] versions of transforms,
 *           predicates and the connector that this task has refused before:
 *           it does not start with one of them
 *   pause, resume {}                           answered by status
 *   stop    {timeout_ms}                       flush, commit, exit 0
 *   commit  {}                                 report committable offsets now
 *   released {topic, partition, offset}        embedded: every local sink group
 *           has committed up to offset (exclusive); -1: topic has no sink
 *   log     {level}
 *   reload  {files: [path, ...]}               these changed: transforms and
 *           predicates that use them are made anew between two batches
 *   renew   {}                                 the connector's script changed:
 *           it goes on in a new VM, where the old one was
 *   chain   {config}                           other transforms and predicates,
 *           all else being equal
 *   topic.ok {topic, error?}                   answer to topic
 *
 * child -> supervisor
 *   planned {kind, class, version, tasks:[...], errors:[{key,value,message}],
 *            warnings:[...], error?: {text, trace}}
 *   status  {state: "RUNNING"|"PAUSED"|"FAILED"|"STOPPED", trace?, retriable?,
 *            version?}   trace: first line is one sentence
 *   offsets {offsets: [[partition, offset], ...]}  source: safe to store; null
 *           offset removes. A partition appears once, newest offset.
 *   sunk    {offsets: [[topic, partition, offset], ...]}  sink: committed
 *   writes  {topic}                            embedded: source will produce to
 *           this topic: create it, answer topic.ok, and start releasing
 *   topics  {topics: [...]}                    active topics (KIP-558)
 *   uses    {files: {path: hash}, connector: {path: hash}}
 *           what transforms and predicates, and the connector, are made of, as
 *           last looked at; null: it could not be read
 *   transforms {transforms: [...]}             versions: tg_chain_describe, and
 *           the connector as stage 0
 *   needs   {topic}                            embedded: create it and answer
 *           topic.ok; for dead letters, nothing is released
 *
 * broker (child `tidegate broker`): topic {topic, partitions} -> topic.ok;
 *   it first sends up {bootstrap}.
 */
#ifndef TG_TASK_PROTOCOL_H
#define TG_TASK_PROTOCOL_H

enum { TG_FD_SOCKET = 3, TG_FD_PAGE = 4 };

/* Limits that both sides apply; a connector's config wins over the worker's.
 * task.script.timeout.ms: the task stops an overdue script call itself, the
 * supervisor kills the process when that has not helped TG_KILL_GRACE_MS later.
 * task.memory.max.mb: memory of its own (not shared); 0 is no limit. */
enum {
    TG_SCRIPT_TIMEOUT_MS = 30000,
    TG_KILL_GRACE_MS = 1000,
    TG_TASK_MEMORY_MB = 512
};

#endif
