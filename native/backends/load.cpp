#include "backends/load.h"

#include "core/error.h"
#include "cpu/accelerator.h"

#include <ggml-backend.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <mutex>

namespace llamatune {

namespace {

namespace fs = std::filesystem;

std::atomic<bool> loaded{false};

bool has_cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr; }

#ifdef GGML_BACKEND_DL

constexpr const char * path_variable = "GGML_BACKEND_PATH"; // ggml's own, for a back end that lies elsewhere

bool is_there(const std::string & name, const std::string & folder) {
#ifdef _WIN32
    const std::string start = "ggml-" + name, end = ".dll";
#else
    const std::string start = "libggml-" + name, end = ".so";
#endif
    std::error_code failed;
    for (const auto & entry : fs::directory_iterator(fs::u8path(folder), failed)) {
        const std::string file = entry.path().filename().u8string();
        if (file == start + end) return true;
        if (file.rfind(start + "-", 0) == 0 && entry.path().extension() == end) return true;
    }
    return false;
}

void load_libraries(const std::string & folder, const std::vector<std::string> & gpus) {
    for (const char * name : {"cpu", "rpc"}) ggml_backend_load_named(name, folder.c_str());
    for (const std::string & name : gpus) {
        const char * elsewhere = std::getenv(path_variable);
        if (elsewhere && name == elsewhere)
            ggml_backend_load(elsewhere);
        else
            ggml_backend_load_named(name.c_str(), folder.c_str());
    }
}

#else

#ifndef LLAMATUNE_LINKED_GPUS
#define LLAMATUNE_LINKED_GPUS
#endif
const std::vector<std::string> linked_gpus = {LLAMATUNE_LINKED_GPUS};

void set_variable(const char * name, const char * value) { // nullptr: unset
#ifdef _WIN32
    _putenv_s(name, value ? value : "");
#else
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
#endif
}

// ggml registers what is linked in when it is first asked for anything: before that, it can be told what to leave out.
// While one lives, and no longer: child processes would inherit it.
class leaving_out_all_but {
public:
    explicit leaving_out_all_but(const std::vector<std::string> & gpus) {
        for (const std::string & name : linked_gpus) {
            if (std::find(gpus.begin(), gpus.end(), name) != gpus.end()) continue;
            if (name == "vulkan") set("GGML_DISABLE_VULKAN");
            if (name == "cuda" || name == "hip") set("GGML_DISABLE_CUDA");
            if (name == "metal") set("GGML_DISABLE_METAL");
        }
    }
    ~leaving_out_all_but() {
        for (const char * name : set_) set_variable(name, nullptr);
    }
    leaving_out_all_but(const leaving_out_all_but &) = delete;
    leaving_out_all_but & operator=(const leaving_out_all_but &) = delete;

private:
    void set(const char * name) {
        if (std::getenv(name)) return; // the user's own
        set_variable(name, "1");
        set_.push_back(name);
    }

    std::vector<const char *> set_;
};

#endif

}

std::vector<std::string> gpu_backends(const std::string & folder) {
#ifdef GGML_BACKEND_DL
    std::vector<std::string> found;
    for (const char * name : {"cuda", "hip", "metal", "vulkan"}) {
        if (is_there(name, folder)) found.push_back(name);
    }
    if (const char * elsewhere = std::getenv(path_variable)) found.push_back(elsewhere);
    return found;
#else
    (void)folder;
    return linked_gpus;
#endif
}

bool backends_are_loaded() { return loaded; }

void load_backends(const std::string & folder, const std::vector<std::string> & gpus) {
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    if (loaded) return;
#ifdef GGML_BACKEND_DL
    load_libraries(folder, gpus);
#else
    const leaving_out_all_but left_out(gpus); // until has_cpu() has filled the registry
#endif
    if (!has_cpu()) {
        throw error(
            "BACKEND_NOT_FOUND", "expected a CPU back end of ggml in '" + folder + "' but none could be loaded",
            "Keep the files of prebuilds/<platform>-<arch> together, or build from source: npm rebuild llamatune");
    }
    register_accelerator();
    loaded = true;
}

void load_backends(const std::string & folder) { load_backends(folder, gpu_backends(folder)); }

}
