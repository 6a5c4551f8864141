#include "core/log.h"

#include "core/join.h"

#include <ggml.h>

#include <deque>
#include <memory>
#include <mutex>

// llama.cpp has its own logger next to ggml's. core does not include llama.h, so the one function that it needs is
// declared here.
extern "C" void llama_log_set(ggml_log_callback callback, void * user_data);

namespace llamatune {

namespace {

constexpr size_t max_recent_errors = 16;

struct thread_log {
    std::string line; // llama.cpp writes lines in pieces
    log_level level = log_level::info;
    std::deque<std::string> errors; // the last warnings and errors
};

thread_log & this_thread() {
    thread_local thread_log log;
    return log;
}

std::mutex sink_mutex;
std::shared_ptr<log_sink> sink; // shared: a line that is being written keeps its sink alive

std::shared_ptr<log_sink> current_sink() {
    const std::lock_guard<std::mutex> lock(sink_mutex);
    return sink;
}

log_level to_level(ggml_log_level level) {
    switch (level) {
    case GGML_LOG_LEVEL_ERROR: return log_level::error;
    case GGML_LOG_LEVEL_WARN: return log_level::warn;
    case GGML_LOG_LEVEL_INFO: return log_level::info;
    default: return log_level::debug;
    }
}

// Returns whether there is a sink.
bool keep_and_send(thread_log & log, log_level level, const std::string & line) {
    if (level >= log_level::warn) {
        log.errors.push_back(line);
        if (log.errors.size() > max_recent_errors) log.errors.pop_front();
    }
    const auto out = current_sink();
    if (out) (*out)(level, line);
    return out != nullptr;
}

void finish_line(thread_log & log) {
    std::string line;
    line.swap(log.line);
    if (line.find_first_not_of(" .\r") == std::string::npos) return; // progress dots
    keep_and_send(log, log.level, line);
}

// Called from C code that cannot handle an exception: a line that cannot be stored is dropped.
void receive(ggml_log_level level, const char * text, void *) {
    try {
        thread_log & log = this_thread();
        if (level != GGML_LOG_LEVEL_CONT) {
            if (!log.line.empty()) finish_line(log);
            log.level = to_level(level);
        }
        for (const char * c = text; *c; c++) {
            if (*c == '\n')
                finish_line(log);
            else
                log.line += *c;
        }
    } catch (...) {}
}

}

void install_log() {
    static std::once_flag once;
    std::call_once(once, [] { llama_log_set(receive, nullptr); });
}

void set_log_sink(log_sink to) {
    auto next = to ? std::make_shared<log_sink>(std::move(to)) : nullptr;
    const std::lock_guard<std::mutex> lock(sink_mutex);
    sink = std::move(next);
}

bool write_log(log_level level, const std::string & line) { return keep_and_send(this_thread(), level, line); }

std::string take_recent_errors() {
    thread_log & log = this_thread();
    if (!log.line.empty()) finish_line(log);
    const std::string lines = join(log.errors, "; ");
    log.errors.clear();
    return lines;
}

}
