// The file that Node loads from a prebuilt package for Linux x86-64. It chooses among variants of the addon in the same
// folder, one per CPU generation and a plain one (cmake/variants.cmake), and registers the first that this CPU supports
// and whose libraries load.
#include <dlfcn.h>
#include <node_api.h>

#include <string>

namespace {

struct variant {
    const char * file;
    bool (*fits)();
};

bool has_v3() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

bool has_v4() {
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const variant variants[] = {
    {"libllamatune-x86-64-v4-bf16.so", [] { return has_v4() && bool(__builtin_cpu_supports("avx512bf16")); }},
    {"libllamatune-x86-64-v4.so", has_v4},
    {"libllamatune-x86-64-v3.so", has_v3},
    {"libllamatune-plain.so", [] { return true; }},
};

using register_function = napi_value (*)(napi_env, napi_value);

// The folder of this file, ending with a slash.
std::string addon_folder() {
    static const char address_in_this_file = 0;
    Dl_info info;
    if (!dladdr(&address_in_this_file, &info) || !info.dli_fname) return {};
    const std::string file = info.dli_fname;
    return file.substr(0, file.rfind('/') + 1);
}

}

NAPI_MODULE_INIT() {
    const std::string folder = addon_folder();
    std::string why = "no variant of the addon for this CPU in " + folder;
    for (const variant & v : variants) {
        if (!v.fits()) continue;
        // RTLD_NOW: a missing function fails here, where another variant can still be chosen.
        if (void * library = dlopen((folder + v.file).c_str(), RTLD_NOW | RTLD_LOCAL)) {
            if (void * start = dlsym(library, "napi_register_module_v1")) {
                return reinterpret_cast<register_function>(start)(env, exports);
            }
        }
        if (const char * reason = dlerror()) why = reason;
    }
    napi_throw_error(env, "ADDON_NOT_FOUND", why.c_str());
    return nullptr;
}
