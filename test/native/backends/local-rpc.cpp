#include "backends/local-rpc.h"

#include "backends/rpc.h"
#include "harness.h"

#include <chrono>
#include <random>
#include <thread>

namespace local_rpc {

namespace {

using start_server_fn = void (*)(const char * endpoint, const char * cache_dir, size_t n_threads, size_t n_devices,
                                 ggml_backend_dev_t * devices);

std::string start(size_t i) {
    ggml_backend_reg_t rpc = ggml_backend_reg_by_name("RPC");
    if (!rpc) harness::fail(__FILE__, __LINE__, "a build with the RPC back end");
    const auto run =
        reinterpret_cast<start_server_fn>(ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_start_server"));
    // other ports than those of processes that run other tests at the same time
    static const int base = int(20000 + harness::this_share().index % 64 * 500 + std::random_device()() % 400);
    const std::string endpoint = "127.0.0.1:" + std::to_string(base + int(i));
    std::thread([run, endpoint] {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        run(endpoint.c_str(), nullptr, 1, 1, &cpu);
    }).detach();
    for (int attempt = 0; attempt < 50; attempt++) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        try {
            llamatune::connect_rpc_servers({endpoint});
            return endpoint;
        } catch (const std::exception &) {} // it is not listening yet
    }
    throw std::runtime_error("the RPC server at " + endpoint + " does not answer");
}

}

std::string server(size_t i) {
    static std::vector<std::string> started;
    while (started.size() <= i) started.push_back(start(started.size()));
    return started[i];
}

ggml_backend_dev_t device(size_t i) { return llamatune::connect_rpc_servers({server(i)}).front(); }

}
