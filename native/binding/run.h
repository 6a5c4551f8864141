#pragma once

#include "binding/node.h"

#include <atomic>

namespace llamatune::binding {

// The interface of a run to its thread, which polls stop() and sends events to JavaScript by emit().
class run_context {
public:
    virtual ~run_context() = default;
    virtual const std::atomic<bool> & stop() const = 0;
    virtual void emit(js_maker event) = 0;
};

// The work of a run's thread. It returns the maker of the promise's value and must not hold JavaScript values.
using run_work = std::function<js_maker(run_context &)>;

// Starts `work` on a new thread and returns { result: Promise, abort() } for JavaScript.
// `on_events` (may be empty) is called with arrays of events before the promise settles.
// The thread keeps the event loop alive while it works. It is joined when it finishes, or stopped and joined when its
// environment (worker thread) shuts down.
Napi::Object start_run(Napi::Env env, Napi::Function on_events, run_work work);

// Starts work that has no events and cannot be aborted, and returns only the promise. The work fails if an RPC server
// takes longer than rpc_answer_seconds to answer.
Napi::Promise start_task(Napi::Env env, run_work work);

}
