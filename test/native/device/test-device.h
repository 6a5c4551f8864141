#pragma once

// The device under test: LLAMATUNE_TEST_DEVICE=<ggml's name>, e.g. Vulkan0, CUDA0, Metal; the CPU if it is not set.
// docs/testing-devices.md has the commands.

#include "core/ggml-ptr.h"
#include "model/load.h"

#include <ggml-backend.h>

#include <memory>
#include <string>
#include <vector>

namespace test_device {

bool is_cpu();
bool is_cuda(); // or the stand-in
// Throws, listing the available devices, if the requested device is not among them.
ggml_backend_dev_t device();
// The devices that graphs run on: the device under test, and the CPU for ops that it lacks.
std::vector<ggml_backend_dev_t> devices();

// Loads a model with all layers on the device.
std::shared_ptr<llamatune::model> load(const std::string & path, bool use_mmap = true);
llamatune::load_options load_options();

// Runs graphs as in training: on the device, with the CPU for ops that it lacks.
class runner {
public:
    explicit runner(const std::vector<ggml_backend_dev_t> & on = devices());
    void run(ggml_cgraph * graph); // results are valid until the next run

private:
    std::vector<ggml_backend_ptr> backends_;
    ggml_backend_sched_ptr scheduler_;
};

// Names the ops of the graph that the device itself does not run, each once.
std::vector<std::string> lacking(ggml_cgraph * graph);

}
