#include "binding/run.h"

#include "backends/rpc.h"
#include "binding/addon-data.h"
#include "binding/errors.h"
#include "binding/event-queue.h"
#include "core/error.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

namespace llamatune::binding {

namespace {

constexpr size_t event_capacity = 1024;

class run final : public run_context, public stoppable {
public:
    run(Napi::Env env, run_work work)
        : deferred_(Napi::Promise::Deferred::New(env)), queue_(event_capacity), work_(std::move(work)) {}

    // The thread-safe function owns the run: its finalizer is the last call for the run in this environment.
    static std::shared_ptr<run> start(Napi::Env env, Napi::Function on_events, run_work work) {
        auto self = std::make_shared<run>(env, std::move(work));
        auto holder = std::make_unique<std::shared_ptr<run>>(self);
        const napi_value listener = on_events.IsEmpty() ? nullptr : napi_value(on_events);
        const napi_status status =
            napi_create_threadsafe_function(env, listener, nullptr, Napi::String::New(env, "llamatune run"), 0, 1,
                                            holder.get(), on_finalize, holder.get(), on_wake, &self->wake_js_);
        if (status != napi_ok) throw error("NATIVE_ERROR", "Node could not create a thread-safe function for the run");
        (void)holder.release(); // on_finalize deletes it
        remember(env, self);
        self->has_listener_ = listener != nullptr;
        try {
            self->thread_ = std::thread([raw = self.get()] { raw->body(); });
        } catch (const std::system_error &) {
            napi_release_threadsafe_function(self->wake_js_, napi_tsfn_abort);
            throw error("OUT_OF_MEMORY", "the system could not start another thread",
                        "wait for other runs to end, or raise the limit on threads (ulimit -u)");
        }
        return self;
    }

    Napi::Promise promise() const { return deferred_.Promise(); }

    void abort() override {
        stop_ = true;
        queue_.open();
    }

    void join() override {
        if (thread_.joinable()) thread_.join();
    }

    const std::atomic<bool> & stop() const override { return stop_; }

    void emit(js_maker event) override {
        queue_.push(std::move(event));
        wake();
    }

private:
    static void remember(Napi::Env env, const std::shared_ptr<run> & self) {
        auto & runs = env.GetInstanceData<addon_data>()->runs;
        runs.erase(std::remove_if(runs.begin(), runs.end(), [](const auto & each) { return each.expired(); }),
                   runs.end());
        runs.push_back(self);
    }

    // --- the run's thread ---

    void body() {
        try {
            const rpc_timeout_scope timeout(stop_);
            result_ = work_(*this);
        } catch (...) { failure_ = current_failure(); }
        work_ = nullptr; // releases the model before JavaScript is told that the run has ended
        finished_ = true;
        wake();
    }

    // At most one call is pending: all events queued until JavaScript handles it form one batch.
    void wake() {
        if (closing_ || wake_pending_.exchange(true)) return;
        closing_ = napi_call_threadsafe_function(wake_js_, nullptr, napi_tsfn_nonblocking) == napi_closing;
    }

    // --- the JavaScript thread ---

    static void on_wake(napi_env env, napi_value listener, void * context, void *) {
        if (env == nullptr) return; // the environment shuts down: on_finalize follows
        const std::shared_ptr<run> self = *static_cast<std::shared_ptr<run> *>(context);
        self->deliver(env, listener);
    }

    void deliver(Napi::Env env, napi_value listener) {
        Napi::HandleScope scope(env);
        wake_pending_ = false; // before draining, so that later events wake JavaScript again
        const bool finished = finished_;
        const auto events = queue_.drain();
        try {
            if (!events.empty() && has_listener_) {
                Napi::Array batch = Napi::Array::New(env, events.size());
                for (uint32_t i = 0; i < events.size(); i++) batch.Set(i, events[i](env));
                Napi::Function(env, listener).Call({batch});
            }
        } catch (const Napi::Error & thrown) {
            napi_fatal_exception(env, thrown.Value()); // 'uncaughtException', as for any callback that throws
        }
        if (finished) settle(env);
    }

    void settle(Napi::Env env) {
        join(); // the thread is about to return
        try {
            if (failure_)
                deferred_.Reject(to_js(env, *failure_).Value());
            else
                deferred_.Resolve(result_ ? result_(env) : env.Undefined());
        } catch (const Napi::Error & thrown) { deferred_.Reject(thrown.Value()); } catch (...) {
            deferred_.Reject(to_js(env, current_failure()).Value());
        }
        result_ = nullptr;
        if (!closing_) napi_release_threadsafe_function(wake_js_, napi_tsfn_release);
    }

    // Called after settle(), or when the environment shuts down during the run.
    static void on_finalize(napi_env, void * data, void *) {
        const std::unique_ptr<std::shared_ptr<run>> holder(static_cast<std::shared_ptr<run> *>(data));
        run & self = **holder;
        self.abort();
        self.join();
    }

    Napi::Promise::Deferred deferred_;
    event_queue queue_;
    run_work work_;
    js_maker result_;
    std::optional<failure> failure_;
    napi_threadsafe_function wake_js_ = nullptr;
    bool has_listener_ = false;
    std::atomic<bool> stop_{false};
    std::atomic<bool> wake_pending_{false};
    std::atomic<bool> finished_{false};
    std::atomic<bool> closing_{false};
    std::thread thread_;
};

}

Napi::Object start_run(Napi::Env env, Napi::Function on_events, run_work work) {
    const std::shared_ptr<run> started = run::start(env, on_events, std::move(work));
    Napi::Object handle = Napi::Object::New(env);
    handle.Set("result", started->promise());
    handle.Set("abort", Napi::Function::New(env, [weak = std::weak_ptr<run>(started)](const Napi::CallbackInfo &) {
                   if (const auto alive = weak.lock()) alive->abort();
               }));
    return handle;
}

Napi::Promise start_task(Napi::Env env, run_work work) {
    auto limited = [work = std::move(work)](run_context & context) {
        const rpc_timeout_scope timeout(rpc_answer_seconds);
        return work(context);
    };
    return run::start(env, Napi::Function(), std::move(limited))->promise();
}

}
