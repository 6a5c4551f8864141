#include "backends/rpc.h"

#include "backends/backend-name.h"
#include "core/assertion.h"
#include "core/error.h"
#include "core/join.h"

namespace llamatune {

namespace {

using add_server_fn = ggml_backend_reg_t (*)(const char * endpoint);

add_server_fn find_add_server() {
    ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
    void * found = rpc ? ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server") : nullptr;
    if (!found) {
        throw error("RPC_UNSUPPORTED", "this build has no RPC back end", "Build from source: npm rebuild llamatune");
    }
    return reinterpret_cast<add_server_fn>(found);
}

// Waits for an answer of the server: ggml lists servers that it knows even if they do not run anymore. Also asks for
// the buffer types: ggml does so only once, under a lock that all servers share, and here the call has a time limit.
void require_answer(ggml_backend_reg_t server) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(ggml_backend_reg_dev_get(server, 0), &free, &total);
    for (size_t i = 0; i < ggml_backend_reg_dev_count(server); i++)
        ggml_backend_dev_buffer_type(ggml_backend_reg_dev_get(server, i));
}

using set_timeout_fn = void (*)(ggml_abort_callback stop, void * data, int limit_ms);

set_timeout_fn find_set_timeout() {
    ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
    return rpc ? reinterpret_cast<set_timeout_fn>(
                     ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_set_timeout"))
               : nullptr;
}

bool stop_requested(void * flag) {
    return static_cast<const std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
}

thread_local const rpc_timeout_scope * innermost = nullptr;

}

bool rpc_timeout_scope::is_to_stop() { return innermost && innermost->stop_ && *innermost->stop_; }

rpc_timeout_scope::rpc_timeout_scope(const std::atomic<bool> * stop, int limit_seconds)
    : stop_(stop), limit_seconds_(limit_seconds), outer_(innermost) {
    innermost = this;
    apply();
}

rpc_timeout_scope::rpc_timeout_scope(int limit_seconds)
    : rpc_timeout_scope(innermost ? innermost->stop_ : nullptr, limit_seconds) {}

rpc_timeout_scope::~rpc_timeout_scope() {
    innermost = outer_;
    if (outer_)
        outer_->apply();
    else if (const auto set = find_set_timeout())
        set(nullptr, nullptr, 0);
}

void rpc_timeout_scope::apply() const {
    if (const auto set = find_set_timeout()) {
        set(stop_ ? stop_requested : nullptr, const_cast<std::atomic<bool> *>(stop_), limit_seconds_ * 1000);
    }
}

std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers) {
    if (servers.empty()) return {};
    const add_server_fn add_server = find_add_server();
    std::vector<ggml_backend_dev_t> devices;
    std::string unreachable;
    for (const std::string & server : servers) {
        std::string why;
        const rpc_timeout_scope timeout(rpc_answer_seconds);
        try {
            ggml_backend_reg_t found = add_server(server.c_str());
            if (found) {
                require_answer(found);
                for (size_t i = 0; i < ggml_backend_reg_dev_count(found); i++)
                    devices.push_back(ggml_backend_reg_dev_get(found, i));
            } else {
                why = "it has no device";
            }
        } catch (const error & e) {
            const auto failure = find_rpc_failure(e.what());
            why = failure ? failure->reason : e.what();
        }
        if (rpc_timeout_scope::is_to_stop()) throw error("ABORTED", "connecting to the RPC servers was aborted");
        if (!why.empty()) append_to(unreachable, server + " (" + why + ")");
    }
    if (!unreachable.empty()) {
        throw error("RPC_UNREACHABLE", "these RPC servers did not answer: " + unreachable,
                    "Start llama.cpp's rpc-server of the same version there. It serves one client at a time: stop "
                    "other clients that use it");
    }
    return devices;
}

std::string rpc_server_of(ggml_backend_dev_t device) {
    return backend_of(device) == "rpc" ? ggml_backend_dev_description(device) : "";
}

}
