#include "harness.h"

#include "architectures/table.h"
#include "device/cuda-stand-in/cuda-stand-in.h"
#include "device/step-cost.h"
#include "expected-skips.h"

#include "backends/load.h"
#include "core/assertion.h"
#include "core/log.h"

#include <ggml-backend.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace fs = std::filesystem;

#ifdef __SANITIZE_ADDRESS__
// ggml keeps its data about RPC servers until the process ends.
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

namespace {

share chosen_share;

fs::path cache() {
    const char * env = std::getenv("LLAMATUNE_TEST_CACHE");
    return env ? fs::path(env) : fs::path(LLAMATUNE_TEST_CACHE_DEFAULT);
}

// "2/8" is the second of eight shares. Returns false for anything else.
bool choose_share(const std::string & text) {
    unsigned long number = 0, count = 0;
    int length = 0;
    if (std::sscanf(text.c_str(), "%lu/%lu%n", &number, &count, &length) != 2 || size_t(length) != text.size())
        return false;
    if (number < 1 || number > count) return false;
    chosen_share = {number - 1, count};
    return true;
}

}

const share & this_share() { return chosen_share; }

std::string cache_directory() {
    const share & s = this_share();
    const fs::path dir = cache() / ("native-" + std::to_string(s.index + 1) + "-of-" + std::to_string(s.count));
    fs::create_directories(dir);
    return dir.string();
}

std::string arch_model_directory() { return (cache() / "arch-models").string(); }

std::string source_directory() {
    const char * env = std::getenv("LLAMATUNE_TEST_SOURCE_DIR");
    return env ? env : LLAMATUNE_TEST_SOURCE_DIR_DEFAULT;
}

std::string arch_model(const std::string & architecture) {
    const fs::path path = fs::path(arch_model_directory()) / (architecture + ".gguf");
    if (!fs::exists(path)) fail(__FILE__, __LINE__, path.string() + " (ctest -R arch-models makes it)");
    return path.string();
}

}

namespace {

enum class outcome { passed, failed, skipped };

// Runs one test. A skip that expected-skips.cpp does not list is a failure, and so is a listed test that runs.
outcome run(const harness::test_case & test, std::string & message) {
    const std::string expected = harness::expected_skip(test.name);
    try {
        test.run();
        if (expected.empty()) return outcome::passed;
        message = "it ran, but expected-skips.cpp lists it as skipped where " + expected;
    } catch (const harness::skipped & e) {
        message = e.what();
        if (!expected.empty()) return outcome::skipped;
        message += "; expected-skips.cpp does not list this test as skipped here";
    } catch (const llamatune::error & e) { message = e.code() + ": " + e.what(); } catch (const std::exception & e) {
        message = e.what();
    }
    return outcome::failed;
}

// A name that two tests have; empty if there is none.
std::string repeated_name() {
    std::set<std::string> names;
    for (const harness::test_case & test : harness::registry())
        if (!names.insert(test.name).second) return test.name;
    return {};
}

// The tests that `names` select: for each name the test of that name or, if there is none, all whose name contains it.
// Adds names without a test to `unmatched`. All tests if there are no names.
std::set<size_t> select_tests(const std::vector<std::string> & names, std::vector<std::string> & unmatched) {
    const std::vector<harness::test_case> & tests = harness::registry();
    std::set<size_t> selected;
    for (const std::string & name : names) {
        std::set<size_t> exact, containing;
        for (size_t i = 0; i < tests.size(); i++) {
            if (tests[i].name == name) exact.insert(i);
            if (tests[i].name.find(name) != std::string::npos) containing.insert(i);
        }
        if (containing.empty()) unmatched.push_back(name);
        const std::set<size_t> & chosen = exact.empty() ? containing : exact;
        selected.insert(chosen.begin(), chosen.end());
    }
    for (size_t i = 0; names.empty() && i < tests.size(); i++) selected.insert(i);
    return selected;
}

int run_tests(const std::vector<std::string> & names) {
    using clock = std::chrono::steady_clock;
    constexpr const char * words[] = {"ok     ", "FAILED ", "skipped"};
    int counts[3] = {};
    std::vector<std::string> unmatched;
    size_t number = 0;
    for (const size_t i : select_tests(names, unmatched)) {
        if (number++ % harness::this_share().count != harness::this_share().index) continue;
        const harness::test_case & test = harness::registry()[i];
        const auto start = clock::now();
        std::string message;
        const outcome found = run(test, message);
        const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - start).count();
        counts[int(found)]++;
        std::printf("%s %s (%lld ms)%s%s\n", words[int(found)], test.name.c_str(), (long long)ms,
                    message.empty() ? "" : ": ", message.c_str());
        std::fflush(stdout);
    }
    const auto fail = [&](const std::string & what) {
        counts[int(outcome::failed)]++;
        std::printf("FAILED  %s\n", what.c_str());
    };
    for (const std::string & name : unmatched) fail("no test's name contains '" + name + "'");
    const std::string unused = harness::unused_expected_skips();
    if (!unused.empty()) fail("expected-skips.cpp lists " + unused + ", which no test's name starts with");
    std::printf("%d passed, %d failed, %d skipped\n", counts[0], counts[1], counts[2]);
    return counts[int(outcome::failed)] ? 1 : 0;
}

void list_tests(const std::vector<std::string> & names) {
    std::vector<std::string> unmatched;
    for (const size_t i : select_tests(names, unmatched)) std::printf("%s\n", harness::registry()[i].name.c_str());
}

void list_devices() {
    for (size_t i = 0; i < ggml_backend_dev_count(); i++)
        std::printf("%s\n", ggml_backend_dev_name(ggml_backend_dev_get(i)));
}

}

// llamatune-native-tests [name …]                   runs all tests, or those with these names or parts of names
// llamatune-native-tests --share 2/8 [name …]       runs the second eighth of these tests
// llamatune-native-tests --list [name …]            the names of these tests
// llamatune-native-tests --devices                  the devices' names, for LLAMATUNE_TEST_DEVICE
// llamatune-native-tests --step-cost model rows tokens [checkpointing]   the cost of a training step on CUDA, on paper
// llamatune-native-tests --survey file [model …]    tries architectures; see tools/architectures
int main(int argc, char ** argv) {
    llamatune::install_log();
    llamatune::install_assertion_handler();
    llamatune::load_backends(fs::absolute(argv[0]).parent_path().string()); // where a portable build has them
    const char * device = std::getenv("LLAMATUNE_TEST_DEVICE");
    if (device && std::string(device) == cuda_stand_in::name) cuda_stand_in::add();
    architectures::add_tests();
    const std::string repeated = repeated_name();
    if (!repeated.empty()) {
        std::fprintf(stderr, "two tests have the name '%s': rename one\n", repeated.c_str());
        return 2;
    }
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() > 1 && arguments[0] == "--share") {
        if (!harness::choose_share(arguments[1])) {
            std::fprintf(stderr, "expected --share to be like 2/8 but received '%s'\n", arguments[1].c_str());
            return 2;
        }
        arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    const std::string first = arguments.empty() ? "" : arguments[0];
    if (first == "--survey" && arguments.size() > 1)
        return architectures::write_table(arguments[1], {arguments.begin() + 2, arguments.end()});
    if (first == "--step-cost") {
        cuda_stand_in::add(cuda_stand_in::memory::none);
        return step_cost::print({arguments.begin() + 1, arguments.end()});
    }
    if (first == "--devices") {
        list_devices();
    } else if (first == "--list") {
        list_tests({arguments.begin() + 1, arguments.end()});
    } else {
        return run_tests(arguments);
    }
    return 0;
}
