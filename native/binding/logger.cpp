#include "binding/logger.h"

#include "binding/addon-data.h"
#include "binding/errors.h"
#include "binding/read.h"
#include "binding/write.h"
#include "core/error.h"
#include "core/log.h"

#include <deque>
#include <memory>
#include <mutex>

namespace llamatune::binding {

namespace {

constexpr size_t max_lines = 4096; // the oldest are dropped if JavaScript does not keep up

// Passes lines from any thread to one JavaScript function. It does not keep the event loop alive.
class log_channel {
public:
    static std::shared_ptr<log_channel> open(Napi::Env env, Napi::Function on_lines) {
        auto self = std::make_shared<log_channel>();
        auto holder = std::make_unique<std::shared_ptr<log_channel>>(self);
        const napi_status status =
            napi_create_threadsafe_function(env, on_lines, nullptr, Napi::String::New(env, "llamatune log"), 0, 1,
                                            holder.get(), on_finalize, holder.get(), on_wake, &self->wake_js_);
        if (status != napi_ok) throw error("NATIVE_ERROR", "Node could not create a thread-safe function for the log");
        (void)holder.release(); // on_finalize deletes it
        napi_unref_threadsafe_function(env, self->wake_js_);
        return self;
    }

    void send(log_level level, const std::string & line) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (closed_) return;
        if (lines_.size() == max_lines) lines_.pop_front();
        lines_.push_back({level, line});
        if (wake_pending_) return;
        wake_pending_ = true;
        if (napi_call_threadsafe_function(wake_js_, nullptr, napi_tsfn_nonblocking) == napi_closing) closed_ = true;
    }

    // Called on the JavaScript thread when another logger is set.
    void close() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (closed_) return;
        closed_ = true;
        napi_release_threadsafe_function(wake_js_, napi_tsfn_release);
    }

private:
    static void on_wake(napi_env raw_env, napi_value on_lines, void * context, void *) {
        if (raw_env == nullptr) return;
        const std::shared_ptr<log_channel> self = *static_cast<std::shared_ptr<log_channel> *>(context);
        const Napi::Env env(raw_env);
        std::deque<log_line> lines;
        {
            const std::lock_guard<std::mutex> lock(self->mutex_);
            self->wake_pending_ = false;
            lines.swap(self->lines_);
        }
        try {
            Napi::Function(env, on_lines).Call({write(env, std::vector<log_line>(lines.begin(), lines.end()))});
        } catch (const Napi::Error & thrown) { napi_fatal_exception(env, thrown.Value()); }
    }

    static void on_finalize(napi_env, void * data, void *) {
        const std::unique_ptr<std::shared_ptr<log_channel>> holder(static_cast<std::shared_ptr<log_channel> *>(data));
        const std::lock_guard<std::mutex> lock((*holder)->mutex_);
        (*holder)->closed_ = true;
    }

    std::mutex mutex_;
    std::deque<log_line> lines_;
    napi_threadsafe_function wake_js_ = nullptr;
    bool wake_pending_ = false;
    bool closed_ = false;
};

}

Napi::Value set_logger_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const Napi::Function on_lines = argument<Napi::Function>(info, 0, "onLines");
        auto & close_logger = info.Env().GetInstanceData<addon_data>()->close_logger;
        if (close_logger) close_logger();
        close_logger = nullptr;
        set_log_sink(nullptr);
        if (on_lines.IsEmpty()) return info.Env().Undefined();

        const auto channel = log_channel::open(info.Env(), on_lines);
        close_logger = [channel] { channel->close(); };
        set_log_sink([channel](log_level level, const std::string & line) { channel->send(level, line); });
        return info.Env().Undefined();
    });
}

}
