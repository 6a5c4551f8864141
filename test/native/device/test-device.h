#pragma once

// The device that tests of devices run on: LLAMATUNE_TEST_DEVICE=<ggml's name of it>, e.g. Vulkan0, CUDA0, Metal;
// without it the CPU. docs/testing-devices.md has the commands.

#include "core/ggml-ptr.h"
#include "model/load.h"

#include <ggml-backend.h>

#include <memory>
#include <string>
#include <vector>

namespace test_device {

bool is_cpu();
// Throws, naming the devices that there are, when the one asked for is not among them.
ggml_backend_dev_t device();
// What a graph is given to: the device, and the CPU for what it lacks.
std::vector<ggml_backend_dev_t> devices();

// A model whose layers are on the device, all of them.
std::shared_ptr<llamatune::model> load(const std::string & path, bool use_mmap = true);
llamatune::load_options load_options();

// Runs graphs as training does: on the device, and what it lacks on the CPU.
class runner {
public:
    explicit runner(const std::vector<ggml_backend_dev_t> & on = devices());
    void run(ggml_cgraph * graph); // its results stay where they are until the next run

private:
    std::vector<ggml_backend_ptr> backends_;
    ggml_backend_sched_ptr scheduler_;
};

// Ops of the graph, each once, that the device itself does not run.
std::vector<std::string> lacking(ggml_cgraph * graph);

}
