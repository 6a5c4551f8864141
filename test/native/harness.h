#pragma once

// A small test harness: TEST(name) { … CHECK(…); }. main.cpp describes the program's arguments.

#include <cmath>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace harness {

struct test_case {
    std::string name;
    std::function<void()> run;
};
std::vector<test_case> & registry();

struct registrar {
    registrar(std::string name, std::function<void()> run) { registry().push_back({std::move(name), std::move(run)}); }
};

struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};
// Thrown by SKIP: the test cannot run in this build on this machine. expected-skips.cpp must list it.
struct skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const char * file, int line, const std::string & what);
// Fails unless `run` throws llamatune::error with this code.
void expect_error(const char * file, int line, const std::string & code, const std::function<void()> & run);

// The share of the tests that this process runs: the tests whose number, divided by `count`, leaves `index`.
struct share {
    size_t index = 0, count = 1;
};
const share & this_share();

// The folder for files that the tests of this process generate. It is in the cache (LLAMATUNE_TEST_CACHE, or the one
// that CMake was given), and another one for each share, since shares run at the same time.
std::string cache_directory();
// The root of the sources; __FILE__ may be relative to the compiler's working directory.
std::string source_directory();
// The folder of the tiny models that ctest's first step makes, which is kept between runs.
std::string arch_model_directory();
// The path of the tiny model that ctest's first step made for this architecture; "-moe" is its mixture of experts.
std::string arch_model(const std::string & architecture);

}

#define HARNESS_CAT2(a, b) a##b
#define HARNESS_CAT(a, b) HARNESS_CAT2(a, b)
#define TEST(name)                                                                                                     \
    static void HARNESS_CAT(test_fn_, __LINE__)();                                                                     \
    static const ::harness::registrar HARNESS_CAT(test_reg_, __LINE__)(name, HARNESS_CAT(test_fn_, __LINE__));         \
    static void HARNESS_CAT(test_fn_, __LINE__)()

#define CHECK(cond)                                                                                                    \
    do {                                                                                                               \
        if (!(cond)) ::harness::fail(__FILE__, __LINE__, #cond);                                                       \
    } while (0)
#define CHECK_EQ(a, b)                                                                                                 \
    do {                                                                                                               \
        const auto va_ = (a);                                                                                          \
        const auto vb_ = (b);                                                                                          \
        if (!(va_ == vb_)) {                                                                                           \
            std::ostringstream os_;                                                                                    \
            os_ << #a " == " #b ", received " << va_ << " and " << vb_;                                                \
            ::harness::fail(__FILE__, __LINE__, os_.str());                                                            \
        }                                                                                                              \
    } while (0)
#define CHECK_NEAR(a, b, tol)                                                                                          \
    do {                                                                                                               \
        const double va_ = (a), vb_ = (b);                                                                             \
        if (!(std::fabs(va_ - vb_) <= (tol))) {                                                                        \
            std::ostringstream os_;                                                                                    \
            os_ << #a " ~ " #b ", received " << va_ << " and " << vb_;                                                 \
            ::harness::fail(__FILE__, __LINE__, os_.str());                                                            \
        }                                                                                                              \
    } while (0)
#define CHECK_ERROR(code, expr) ::harness::expect_error(__FILE__, __LINE__, code, [&] { (void)(expr); })
#define SKIP(why) throw ::harness::skipped(why)
