#include "backends/rpc.h"

#include "core/abort-guard.h"
#include "core/backend-name.h"
#include "core/error.h"

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

// Asks the server something: ggml knows a server it has met before, also when that is gone by now.
void require_answer(ggml_backend_reg_t server) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(ggml_backend_reg_dev_get(server, 0), &free, &total);
}

}

std::vector<ggml_backend_dev_t> connect_rpc_servers(const std::vector<std::string> & servers) {
    if (servers.empty()) return {};
    const add_server_fn add_server = find_add_server();
    const abort_guard guard;
    std::vector<ggml_backend_dev_t> devices;
    std::string unreachable;
    for (const std::string & server : servers) {
        std::string why;
        try {
            ggml_backend_reg_t found = add_server(server.c_str());
            if (found) {
                require_answer(found);
                for (size_t i = 0; i < ggml_backend_reg_dev_count(found); i++) devices.push_back(ggml_backend_reg_dev_get(found, i));
            } else {
                why = "it has no device";
            }
        } catch (const error & e) {
            const auto failure = find_rpc_failure(e.what());
            why = failure ? failure->reason : e.what();
        }
        if (!why.empty()) unreachable += (unreachable.empty() ? "" : ", ") + server + " (" + why + ")";
    }
    if (!unreachable.empty()) {
        throw error("RPC_UNREACHABLE", "expected every RPC server to answer but these did not: " + unreachable,
                    "Start llama.cpp's rpc-server there, of the same version; it serves one client at a time, so end what else "
                    "uses it.");
    }
    return devices;
}

std::string rpc_server_of(ggml_backend_dev_t device) {
    return backend_of(device) == "rpc" ? ggml_backend_dev_description(device) : "";
}

}
