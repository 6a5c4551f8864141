#pragma once

#include "binding/node.h"

#include <atomic>

namespace llamatune::binding {

// What a run's own thread gets: the flag to poll, and the way for its events to JavaScript.
class run_context {
public:
    virtual ~run_context() = default;
    virtual const std::atomic<bool> & stop() const = 0;
    virtual void emit(js_maker event) = 0;
};

// Runs on its own thread; returns what makes the promise's value. Holds no JavaScript value.
using run_work = std::function<js_maker(run_context &)>;

// Starts `work` on a new thread and returns { result: Promise, abort() } for JavaScript.
// `on_events` (or an empty function) is called with arrays of events, once per batch, before the promise settles.
// The thread keeps the event loop alive while it works; it is joined when it finishes, or stopped and joined when its
// environment (worker thread) goes away.
Napi::Object start_run(Napi::Env env, Napi::Function on_events, run_work work);

// The same for work without events, which JavaScript cannot abort: returns the promise alone. An RPC server's answer
// that takes longer than rpc_answer_seconds ends it.
Napi::Promise start_task(Napi::Env env, run_work work);

}
