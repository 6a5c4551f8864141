// llamatune-gpu-bench devices                      the devices and what they lack for training
// llamatune-gpu-bench train shapes.json '{…}'      see spec.h; prints a JSON object, and before it what is known earlier
// llamatune-gpu-bench generate shapes.json '{…}'
#include "backends/load.h"
#include "benchmarks.h"
#include "core/assertion.h"
#include "core/log.h"
#include "train/list-devices.h"

#include <cstdio>
#include <filesystem>

using namespace llamatune;
using nlohmann::json;

namespace {

json devices() {
    json list = json::array();
    for (const listed_device & d : list_devices({})) {
        json device = {{"name", d.about.name},
                       {"description", d.about.description},
                       {"backend", d.about.backend},
                       {"memoryFree", d.about.memory_free},
                       {"memoryTotal", d.about.memory_total}};
        if (d.training) {
            device["missingOps"] = d.training->missing;
            device["weightTypes"] = d.training->weight_types;
            device["otherWeightTypes"] = d.training->other_weight_types;
        }
        list.push_back(device);
    }
    return list;
}

void print(const json & result) {
    std::printf("%s\n", result.dump().c_str());
    std::fflush(stdout);
}

json run(const std::vector<std::string> & arguments, const gpu_kit::row_sink & on_row) {
    if (arguments.size() == 1 && arguments[0] == "devices") return devices();
    if (arguments.size() == 3 && (arguments[0] == "train" || arguments[0] == "generate")) {
        const gpu_kit::spec spec = gpu_kit::read_spec(arguments[2]);
        const gpu_kit::shape shape = gpu_kit::read_shape(arguments[1], spec.model);
        return arguments[0] == "train" ? gpu_kit::measure_training(spec, shape, on_row)
                                       : gpu_kit::measure_generation(spec, shape);
    }
    throw error("ARGUMENT_INVALID", "usage: llamatune-gpu-bench devices | train SHAPES SPEC | generate SHAPES SPEC");
}

}

int main(int argc, char ** argv) {
    json result;
    bool failed = true;
    try {
        install_log();
        install_assertion_handler();
        load_backends(std::filesystem::absolute(argv[0]).parent_path().string());
        result = run({argv + 1, argv + argc}, [&](const json & row) { print(result = row); });
        failed = false;
    } catch (const error & e) {
        result["error"] = {{"code", e.code()}, {"message", e.what()}};
    } catch (const std::exception & e) { result["error"] = {{"code", "FAILED"}, {"message", e.what()}}; }
    print(result);
    return failed ? 1 : 0;
}
