#include "backends/load.h"

#ifdef LLAMATUNE_ONEDNN
#include "backends/matmul-device.h"
#endif
#include "core/error.h"

#include <ggml-backend.h>

#include <mutex>

namespace llamatune {

void load_backends(const std::string & folder) {
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    const auto has_cpu = [] { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr; };
#ifdef GGML_BACKEND_DL
    if (!has_cpu()) ggml_backend_load_all_from_path(folder.c_str());
#endif
    if (!has_cpu()) {
        throw error("BACKEND_NOT_FOUND", "expected a CPU back end of ggml in '" + folder + "' but none could be loaded",
                    "Keep the files of prebuilds/<platform>-<arch> together, or build from source: npm rebuild llamatune");
    }
#ifdef LLAMATUNE_ONEDNN
    register_matmul_device();
#endif
}

}
