#include "device/test-device.h"

#include "core/matmul-type.h"
#include "harness.h"

#include <llama-model.h>

#include <algorithm>
#include <cstdlib>

using namespace llamatune;

namespace test_device {

namespace {

std::string wanted() {
    const char * name = std::getenv("LLAMATUNE_TEST_DEVICE");
    return name ? name : "";
}

ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

}

bool is_cpu() { return device() == cpu(); }

bool is_cuda() { return std::string(ggml_backend_dev_name(device())).compare(0, 4, "CUDA") == 0; }

ggml_backend_dev_t device() {
    static const ggml_backend_dev_t found = [] {
        if (wanted().empty()) return cpu();
        std::string known;
        for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
            ggml_backend_dev_t candidate = ggml_backend_dev_get(i);
            if (wanted() == ggml_backend_dev_name(candidate)) return candidate;
            known += std::string(known.empty() ? "" : ", ") + ggml_backend_dev_name(candidate);
        }
        throw harness::failure("expected LLAMATUNE_TEST_DEVICE to name one of " + known + " but received '" + wanted() +
                               "'");
    }();
    return found;
}

std::vector<ggml_backend_dev_t> devices() {
    return is_cpu() ? std::vector<ggml_backend_dev_t>{cpu()} : std::vector<ggml_backend_dev_t>{device(), cpu()};
}

llamatune::load_options load_options() {
    llamatune::load_options options;
    if (!is_cpu()) options.gpu_layers = -1;
    return options;
}

std::shared_ptr<model> load(const std::string & path, bool use_mmap) {
    llamatune::load_options options = load_options();
    options.path = path;
    options.use_mmap = use_mmap;
    auto m = model::load(options);
    if (!is_cpu()) {
        const auto & held = m->handle()->devices;
        if (std::none_of(held.begin(), held.end(), [](const llama_device & d) { return d.dev == device(); })) {
            throw harness::failure("expected the model on " + wanted() + " but it is elsewhere");
        }
    }
    return m;
}

runner::runner(const std::vector<ggml_backend_dev_t> & on) {
    std::vector<ggml_backend_t> raw;
    for (ggml_backend_dev_t d : on) {
        backends_.emplace_back(ggml_backend_dev_init(d, nullptr));
        CHECK(backends_.back() != nullptr);
        raw.push_back(backends_.back().get());
    }
    scheduler_.reset(ggml_backend_sched_new(raw.data(), nullptr, int(raw.size()), 8192, false, true));
}

void runner::run(ggml_cgraph * graph) {
    if (llamatune::multiplies_in(device(), GGML_TYPE_F32)) llamatune::set_matmul_type(graph, GGML_TYPE_F32);
    ggml_backend_sched_reset(scheduler_.get());
    CHECK(ggml_backend_sched_alloc_graph(scheduler_.get(), graph));
    CHECK(ggml_backend_sched_graph_compute(scheduler_.get(), graph) == GGML_STATUS_SUCCESS);
}

std::vector<std::string> lacking(ggml_cgraph * graph) {
    std::vector<std::string> names;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        if (ggml_backend_dev_supports_op(device(), node)) continue;
        std::string name = ggml_op_desc(node);
        for (const ggml_tensor * source : node->src) {
            if (source) name += std::string(" ") + ggml_type_name(source->type);
        }
        name += std::string(" -> ") + ggml_type_name(node->type);
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
}

}
