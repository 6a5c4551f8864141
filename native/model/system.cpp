#include "model/system.h"

#include "backends/backend-name.h"
#include "core/cpu.h"
#include "core/matmul-type.h"
#include "cpu/accelerator.h"
#include "model/weight-type.h"

#include <ggml-backend.h>
#include <llama.h>

#include "llama-model.h"

namespace llamatune {

namespace {

const char * type_text(enum ggml_backend_dev_type type) {
    switch (type) {
    case GGML_BACKEND_DEVICE_TYPE_CPU: return "cpu";
    case GGML_BACKEND_DEVICE_TYPE_GPU: return "gpu";
    case GGML_BACKEND_DEVICE_TYPE_IGPU: return "igpu";
    case GGML_BACKEND_DEVICE_TYPE_ACCEL:
    case GGML_BACKEND_DEVICE_TYPE_META: return "accel";
    }
    return "accel";
}

}

device_info describe_device(ggml_backend_dev_t device) {
    size_t free = 0, total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    return {ggml_backend_dev_name(device),
            ggml_backend_dev_description(device),
            type_text(ggml_backend_dev_type(device)),
            backend_of(device),
            free,
            total,
            multiplies_in(device, GGML_TYPE_BF16)};
}

std::vector<device_info> list_model_devices(const model & m) {
    std::vector<device_info> found;
    for (const llama_device & held : m.handle()->devices) found.push_back(describe_device(held.dev));
    return found;
}

system_info describe_system() {
    system_info info;
    info.llama_cpp = llama_version();
    info.physical_cores = usable_physical_cores();
    info.weight_types = weight_type_names();
    for (size_t i = 0; i < ggml_backend_reg_count(); i++)
        info.backends.push_back(ggml_backend_reg_name(ggml_backend_reg_get(i)));
    for (size_t i = 0; i < ggml_backend_dev_count(); i++)
        info.devices.push_back(describe_device(ggml_backend_dev_get(i)));
    if (ggml_backend_dev_t device = accelerator_device())
        info.cpu_accelerator = {ggml_backend_dev_description(device), accelerator_has_fast_bf16()};
    return info;
}

}
