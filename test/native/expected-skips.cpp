#include "expected-skips.h"

#include "device/test-device.h"
#include "harness.h"

#include <filesystem>
#include <random>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(_M_X64)
#include <intrin.h>
#endif

namespace harness {

namespace {

// The instruction sets that CPUID's leaf 7 reports. oneDNN and ggml are not queried, since their answers are under
// test.
struct instruction_sets {
    bool amx_int8 = false, avx512_bf16 = false;
};

instruction_sets this_cpu() {
    unsigned first[4] = {}, second[4] = {}; // eax, ebx, ecx, edx of the subleaves 0 and 1
#if defined(__x86_64__)
    if (!__get_cpuid_count(7, 0, &first[0], &first[1], &first[2], &first[3])) return {};
    if (first[0] >= 1) __get_cpuid_count(7, 1, &second[0], &second[1], &second[2], &second[3]);
#elif defined(_M_X64)
    __cpuidex(reinterpret_cast<int *>(first), 7, 0);
    if (first[0] >= 1) __cpuidex(reinterpret_cast<int *>(second), 7, 1);
#endif
    return {(first[3] >> 25 & 1) != 0, (second[0] >> 5 & 1) != 0};
}

#ifdef LLAMATUNE_TEST_WITHOUT_ONEDNN // set by cmake/tests.cmake
constexpr bool without_onednn = true;
#else
constexpr bool without_onednn = false;
#endif

struct condition {
    const char * reason;
    bool holds;
    std::vector<std::string> tests; // prefixes of their names
};

#ifdef _WIN32
constexpr bool on_windows = true;
#else
constexpr bool on_windows = false;
#endif
#ifdef __linux__
constexpr bool on_linux = true;
#else
constexpr bool on_linux = false;
#endif

// Windows requires a privilege for this that few users have.
bool symlinks_are_refused() {
    namespace fs = std::filesystem;
    const fs::path link = fs::temp_directory_path() / ("llamatune-link-" + std::to_string(std::random_device()()));
    std::error_code refused, ignored;
    fs::create_symlink("nowhere", link, refused);
    fs::remove(link, ignored);
    return bool(refused);
}

const std::vector<condition> & conditions() {
    const instruction_sets cpu = this_cpu();
    static const std::vector<condition> all{
        {"LLAMATUNE_TEST_DEVICE is not set",
         test_device::is_cpu(),
         {"device/gradients: LoRA pairs", "device/gradients: precision bf16",
          "device/gradients: gradient checkpointing", "device/gradients: full-parameter training",
          "device/gradients: small gradients", "device/gradients: architectures of several families",
          "device/optimizer", "device/generate", "train/devices: a GPU, an RPC device and the CPU share the layers"}},
        {"LLAMATUNE_TEST_DEVICE is not a CUDA device", !test_device::is_cuda(), {"device/graphs"}},
        {"the build is without oneDNN",
         without_onednn,
         {"cpu/products", "cpu/inference", "cpu/fusion", "generate: a prompt's logits with an accelerator"}},
        {"the CPU has no instructions for bfloat16",
         !cpu.avx512_bf16,
         {"cpu/kernels/attention: with bfloat16 operands"}},
        {"the CPU has no AMX", !cpu.amx_int8, {"cpu/inference: quantized products of weights in AMX tiles"}},
        {"Windows has no fork()", on_windows, {"core/assertion: an uncaught failure ends the process"}},
        {"there is no /proc", !on_linux, {"core/assertion: after a failure no thread remains or spins"}},
        {"this user may not create symbolic links",
         symlinks_are_refused(),
         {"core/atomic-file: a symbolic link stays a link", "core/atomic-file: an output that is an input"}},
    };
    return all;
}

bool starts_with(const std::string & text, const std::string & start) {
    return text.compare(0, start.size(), start) == 0;
}

}

std::string expected_skip(const std::string & test) {
    for (const condition & c : conditions()) {
        if (!c.holds) continue;
        for (const std::string & start : c.tests)
            if (starts_with(test, start)) return c.reason;
    }
    return "";
}

std::string unused_expected_skips() {
    std::string unused;
    if (without_onednn) return unused; // such a build leaves out the files of the listed tests
    for (const condition & c : conditions()) {
        for (const std::string & start : c.tests) {
            bool used = false;
            for (const test_case & test : registry()) used = used || starts_with(test.name, start);
            if (!used) unused += (unused.empty() ? "'" : ", '") + start + "'";
        }
    }
    return unused;
}

}
