#include "model.h"

#include "backends/choose.h"

#include <chrono>
#include <filesystem>

namespace gpu_kit {

namespace fs = std::filesystem;
using namespace llamatune;

namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point start) { return std::chrono::duration<double>(clock::now() - start).count(); }

}

uint64_t free_bytes(ggml_backend_dev_t device) {
    if (!device) return 0;
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    return free;
}

loaded load_model(const spec & s, const shape & sh) {
    loaded result{};
    const std::vector<ggml_backend_dev_t> devices = choose_devices(s.device, {});
    if (!devices.empty()) result.device = devices.front();

    create_options options = sh.model;
    options.type = s.type;
    options.path = (fs::path(s.folder) / (s.model + "-" + s.type + ".gguf")).string();
    if (!fs::exists(options.path)) {
        const auto start = clock::now();
        options.vocabulary = numbered_vocabulary(sh.vocabulary_size);
        options.sampled_blocks = true;
        create_model(options);
        result.make_seconds = seconds_since(start);
    }
    load_options load;
    load.path = options.path;
    if (result.device) {
        load.gpu_layers = -1;
        load.devices = {result.device};
    }
    result.free_bytes_before = free_bytes(result.device);
    const auto start = clock::now();
    result.model = model::load(load);
    result.load_seconds = seconds_since(start);
    return result;
}

}
