#include "harness.h"

#include "architectures/table.h"

#include "backends/load.h"
#include "core/assertion.h"
#include "core/log.h"

#include <ggml-backend.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace fs = std::filesystem;

#ifdef __SANITIZE_ADDRESS__
// ggml keeps what it knows of an RPC server for as long as the process lives.
extern "C" const char * __lsan_default_suppressions() {
    return "leak:ggml_backend_rpc_add_server\nleak:ggml_backend_rpc_buffer_type\nleak:ggml_backend_rpc_start_server\n";
}
#endif

namespace harness {

std::vector<test_case> & registry() {
    static std::vector<test_case> cases;
    return cases;
}

void fail(const char * file, int line, const std::string & what) {
    std::ostringstream os;
    os << file << ":" << line << ": expected " << what;
    throw failure(os.str());
}

void expect_error(const char * file, int line, const std::string & code, const std::function<void()> & run) {
    try {
        run();
    } catch (const llamatune::error & e) {
        if (e.code() != code) fail(file, line, "error " + code + " but received " + e.code() + ": " + e.what());
        return;
    }
    fail(file, line, "error " + code + " but nothing was thrown");
}

std::string cache_directory() {
    const char * env = std::getenv("LLAMATUNE_TEST_CACHE");
    const fs::path dir = env ? fs::path(env) : fs::path(LLAMATUNE_TEST_CACHE_DEFAULT);
    fs::create_directories(dir);
    return dir.string();
}

std::string source_directory() { return LLAMATUNE_TEST_SOURCE_DIR; }

std::string arch_model(const std::string & architecture) {
    const fs::path dir = fs::path(cache_directory()) / "arch-models";
    const fs::path path = dir / (architecture + ".gguf");
    if (!fs::exists(path)) {
        throw skipped("no model for " + architecture + " in " + dir.string() + " (ctest makes them)");
    }
    return path.string();
}

}

int main(int argc, char ** argv) {
    using clock = std::chrono::steady_clock;
    llamatune::install_log();
    llamatune::install_assertion_handler();
    llamatune::load_backends(LLAMATUNE_TEST_BACKEND_DIR);
    if (argc >= 3 && !std::strcmp(argv[1], "--survey"))
        return architectures::write_table(argv[2], {argv + 3, argv + argc});
    if (argc == 2 && !std::strcmp(argv[1], "--devices")) {
        for (size_t i = 0; i < ggml_backend_dev_count(); i++)
            std::printf("%s\n", ggml_backend_dev_name(ggml_backend_dev_get(i)));
        return 0;
    }
    int passed = 0, failed = 0, skipped = 0;
    for (const auto & test : harness::registry()) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted = wanted || test.name.find(argv[i]) != std::string::npos;
        if (argc == 2 && !std::strcmp(argv[1], "--list")) {
            std::printf("%s\n", test.name.c_str());
            continue;
        }
        if (!wanted) continue;
        const auto start = clock::now();
        const auto ms = [&] {
            return (long long)std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count();
        };
        try {
            test.run();
            passed++;
            std::printf("ok      %s (%lld ms)\n", test.name.c_str(), ms());
        } catch (const harness::skipped & e) {
            skipped++;
            std::printf("skipped %s: %s\n", test.name.c_str(), e.what());
        } catch (const llamatune::error & e) {
            failed++;
            std::printf("FAILED  %s: %s: %s\n", test.name.c_str(), e.code().c_str(), e.what());
        } catch (const std::exception & e) {
            failed++;
            std::printf("FAILED  %s: %s\n", test.name.c_str(), e.what());
        }
        std::fflush(stdout);
    }
    if (argc == 2 && !std::strcmp(argv[1], "--list")) return 0;
    std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
