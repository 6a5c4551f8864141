#include "harness.h"

#include "train/capabilities.h"

#include "ggml-backend-impl.h"

#include <algorithm>

using namespace llamatune;

namespace {

ggml_backend_dev_t cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU); }

// The CPU without one op.
ggml_backend_device cpu_without_sgd() {
    ggml_backend_device device = *cpu();
    device.iface.supports_op = [](ggml_backend_dev_t, const ggml_tensor * op) {
        return op->op != GGML_OP_OPT_STEP_SGD && ggml_backend_dev_supports_op(cpu(), op);
    };
    return device;
}

}

TEST("train/capabilities: the CPU runs both passes with every weight type, and every optimizer") {
    const auto found = probe_training(cpu());
    CHECK(found->missing.empty() && found->other_weight_types.empty() && found->other_optimizers.empty());
    CHECK(std::count(found->optimizers.begin(), found->optimizers.end(), "adamw") == 1);
}

TEST("train/capabilities: a device is asked for the ops of each optimizer") {
    ggml_backend_device device = cpu_without_sgd();
    const auto found = probe_training(&device);
    CHECK(found->missing.empty());
    CHECK(found->other_optimizers == std::vector<std::string>{"sgd"});
    CHECK(std::count(found->optimizers.begin(), found->optimizers.end(), "sgd") == 0);
    CHECK(std::count(found->optimizers.begin(), found->optimizers.end(), "adamw") == 1);
}
