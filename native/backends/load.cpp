#include "backends/load.h"

#include "core/error.h"
#include "cpu/accelerator.h"

#include <ggml-backend.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <mutex>

namespace llamatune {

namespace {

namespace fs = std::filesystem;

std::atomic<bool> loaded{false};

bool has_cpu() { return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr; }

#ifdef GGML_BACKEND_DL

constexpr const char * gpu_names[] = {"cuda", "hip", "metal", "vulkan"};

bool has_library(const std::string & name, const std::string & folder) {
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
        if (std::find(std::begin(gpu_names), std::end(gpu_names), name) != std::end(gpu_names)) {
            ggml_backend_load_named(name.c_str(), folder.c_str());
        } else {
            ggml_backend_load(name.c_str()); // the path of a library
        }
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

// Disables all linked GPU back ends except `gpus`. ggml reads its GGML_DISABLE_… variables when its registry is first
// used; they are unset again afterwards, since child processes would inherit them.
class gpu_filter {
public:
    explicit gpu_filter(const std::vector<std::string> & gpus) {
        for (const std::string & name : linked_gpus) {
            if (std::find(gpus.begin(), gpus.end(), name) != gpus.end()) continue;
            if (name == "vulkan") set("GGML_DISABLE_VULKAN");
            if (name == "cuda" || name == "hip") set("GGML_DISABLE_CUDA");
            if (name == "metal") set("GGML_DISABLE_METAL");
        }
    }
    ~gpu_filter() {
        for (const char * name : set_) set_variable(name, nullptr);
    }
    gpu_filter(const gpu_filter &) = delete;
    gpu_filter & operator=(const gpu_filter &) = delete;

private:
    void set(const char * name) {
        if (std::getenv(name)) return; // set by the user
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
    for (const char * name : gpu_names) {
        if (has_library(name, folder)) found.push_back(name);
    }
    if (const char * path = std::getenv("GGML_BACKEND_PATH")) found.push_back(path); // ggml's variable
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
    const gpu_filter filter(gpus); // until has_cpu() has filled the registry
#endif
    if (!has_cpu()) {
        throw error(
            "BACKEND_NOT_FOUND", "no CPU back end of ggml could be loaded from '" + folder + "'",
            "Keep the files of prebuilds/<platform>-<arch> together, or build from source: npm rebuild llamatune");
    }
    register_accelerator();
    loaded = true;
}

void load_backends(const std::string & folder) { load_backends(folder, gpu_backends(folder)); }

}
