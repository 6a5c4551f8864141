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
        throw error("RPC_UNSUPPORTED", "expected a build with ggml's RPC back end but received one without",
                    "Build from source: npm rebuild llamatune");
    }
    return reinterpret_cast<add_server_fn>(found);
}

// Asks the server something: ggml knows a server it has met before, also when that is gone by now. ggml asks once what
// its buffers are like, under a lock that all servers share: here, where that has a limit.
void require_answer(ggml_backend_reg_t server) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(ggml_backend_reg_dev_get(server, 0), &free, &total);
    for (size_t i = 0; i < ggml_backend_reg_dev_count(server); i++)
        ggml_backend_dev_buffer_type(ggml_backend_reg_dev_get(server, i));
}

using set_patience_fn = void (*)(ggml_abort_callback stop, void * data, int limit_ms);

set_patience_fn find_set_patience() {
    ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
    return rpc ? reinterpret_cast<set_patience_fn>(
                     ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_set_patience"))
               : nullptr;
}

bool stop_requested(void * flag) {
    return static_cast<const std::atomic<bool> *>(flag)->load(std::memory_order_relaxed);
}

thread_local const rpc_patience * innermost = nullptr;

}

bool rpc_patience::is_to_stop() { return innermost && innermost->stop_ && *innermost->stop_; }

rpc_patience::rpc_patience(const std::atomic<bool> * stop, int limit_seconds)
    : stop_(stop), limit_seconds_(limit_seconds), outer_(innermost) {
    innermost = this;
    apply();
}

rpc_patience::rpc_patience(int limit_seconds) : rpc_patience(innermost ? innermost->stop_ : nullptr, limit_seconds) {}

rpc_patience::~rpc_patience() {
    innermost = outer_;
    if (outer_)
        outer_->apply();
    else if (const auto set = find_set_patience())
        set(nullptr, nullptr, 0);
}

void rpc_patience::apply() const {
    if (const auto set = find_set_patience()) {
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
        const rpc_patience patience(rpc_answer_seconds);
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
        if (rpc_patience::is_to_stop()) throw error("ABORTED", "connecting to the RPC servers was aborted");
        if (!why.empty()) append_to(unreachable, server + " (" + why + ")");
    }
    if (!unreachable.empty()) {
        throw error(
            "RPC_UNREACHABLE", "expected every RPC server to answer but these did not: " + unreachable,
            "Start llama.cpp's rpc-server there, of the same version; it serves one client at a time, so end what else "
            "uses it.");
    }
    return devices;
}

std::string rpc_server_of(ggml_backend_dev_t device) {
    return backend_of(device) == "rpc" ? ggml_backend_dev_description(device) : "";
}

}
