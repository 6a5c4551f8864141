#include "core/assertion.h"

#include "core/error.h"
#include "core/ggml-ptr.h"
#include "harness.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>

#include <cmath>
#include <cstring>
#include <thread>

#ifndef _WIN32
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#endif
#ifdef __linux__
#include <ctime>
#include <filesystem>
#endif

using namespace llamatune;

namespace {

constexpr int64_t width = 64, rows = 256;

// A function of ggml's CPU backend, which a portable build does not link.
template <typename Function>
Function cpu_function(const char * name) {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const auto found = Function(ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(cpu), name));
    CHECK(found != nullptr);
    return found;
}

void set_n_threads(ggml_backend_t cpu, int n) {
    cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(cpu, n);
}

void set_threadpool(ggml_backend_t cpu, ggml_threadpool * threads) {
    cpu_function<void (*)(ggml_backend_t, ggml_threadpool *)>("ggml_backend_cpu_set_threadpool")(cpu, threads);
}

struct threadpool_deleter {
    void operator()(ggml_threadpool * threads) const {
        cpu_function<void (*)(ggml_threadpool *)>("ggml_threadpool_free")(threads);
    }
};
using threadpool_ptr = std::unique_ptr<ggml_threadpool, threadpool_deleter>;

threadpool_ptr new_threads(int n) {
    ggml_threadpool_params params = ggml_threadpool_params_default(n);
    params.poll = 0; // threads sleep between graphs, so that a spinning thread shows in the process's CPU time
    return threadpool_ptr(
        cpu_function<ggml_threadpool * (*)(ggml_threadpool_params *)>("ggml_threadpool_new")(&params));
}

// y = product · norm(x, eps) for the chosen rows of x; a product needs barriers inside its kernel.
struct small_graph {
    ggml_backend_ptr cpu{ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)};
    ggml_context_ptr context{ggml_init({16 * ggml_tensor_overhead() + 2 * ggml_graph_overhead(), nullptr, true})};
    ggml_tensor * x = ggml_new_tensor_2d(context.get(), GGML_TYPE_F32, width, rows);
    ggml_tensor * chosen = ggml_new_tensor_1d(context.get(), GGML_TYPE_I32, rows);
    ggml_tensor * weight = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, width, width);
    ggml_tensor * picked = ggml_get_rows(context.get(), x, chosen);
    ggml_tensor * norm = ggml_rms_norm(context.get(), picked, 1e-5f);
    ggml_tensor * y = ggml_mul_mat(context.get(), weight, norm);
    ggml_cgraph * graph = ggml_new_graph(context.get());
    ggml_backend_buffer_ptr buffer;

    small_graph() {
        ggml_build_forward_expand(graph, y);
        buffer.reset(ggml_backend_alloc_ctx_tensors(context.get(), cpu.get()));
        std::vector<float> ones(size_t(width * rows), 1.0f);
        ggml_backend_tensor_set(x, ones.data(), 0, ggml_nbytes(x));
        std::vector<uint8_t> quantized(ggml_nbytes(weight));
        ggml_quantize_chunk(GGML_TYPE_Q8_0, ones.data(), quantized.data(), 0, width, width, nullptr);
        ggml_backend_tensor_set(weight, quantized.data(), 0, quantized.size());
        for (int32_t i = 0; i < rows; i++) choose(i, i);
    }

    void choose(int64_t at, int32_t row) {
        ggml_backend_tensor_set(chosen, &row, size_t(at) * sizeof(row), sizeof(row));
    }
    void set_epsilon(float eps) { std::memcpy(norm->op_params, &eps, sizeof(eps)); }

    void run() { CHECK_EQ(int(ggml_backend_graph_compute(cpu.get(), graph)), int(GGML_STATUS_SUCCESS)); }

    void check_result() {
        std::vector<float> clear(size_t(ggml_nelements(y)), 0.0f), values = clear;
        ggml_backend_tensor_set(y, clear.data(), 0, ggml_nbytes(y));
        run();
        ggml_backend_tensor_get(y, values.data(), 0, ggml_nbytes(y));
        for (const float value : values) CHECK_NEAR(value, double(width), 0.1);
    }
};

#ifdef __linux__
size_t threads_of_process() {
    namespace fs = std::filesystem;
    return size_t(std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}
#endif

std::string message_of_failure(small_graph & g) {
    try {
        g.run();
    } catch (const error & e) {
        CHECK_EQ(e.code(), std::string("NATIVE_ASSERTION"));
        return e.what();
    }
    return "no failure";
}

// Runs fail on the first, a middle or the last thread; each next run, on the same threads, is right.
void fail_and_continue(small_graph & g, int repeats) {
    for (int i = 0; i < repeats; i++) {
        const int64_t at = (rows - 1) * (i % 3) / 2;
        g.choose(at, rows); // one thread fails while the others wait for it
        CHECK(message_of_failure(g).find("i01 < ne01") != std::string::npos);
        g.choose(at, int32_t(at));
        g.check_result();
        g.set_epsilon(NAN); // every thread fails
        CHECK(message_of_failure(g).find("eps >= 0.0f") != std::string::npos);
        g.set_epsilon(1e-5f);
        g.check_result();
    }
}

}

TEST("core/assertion: a failed assertion in ggml is an error on any thread that catches exceptions") {
    std::string code;
    const auto fail = [&] {
        ggml_context_ptr ctx(ggml_init({1u << 20, nullptr, true}));
        ggml_tensor * a = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 4, 3);
        ggml_tensor * b = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, 5, 3);
        try {
            ggml_mul_mat(ctx.get(), a, b);
        } catch (const error & e) { code += e.code() + " "; }
    };
    fail();
    std::thread(fail).join();
    CHECK_EQ(code, std::string("NATIVE_ASSERTION NATIVE_ASSERTION "));
}

TEST("core/assertion: an uncaught failure ends the process with a message") {
#ifdef _WIN32
    SKIP("needs fork()");
#else
    int output[2];
    CHECK_EQ(pipe(output), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(output[1], STDERR_FILENO);
        std::thread([] { GGML_ABORT("nobody %s", "catches this"); }).join();
        _exit(0);
    }
    close(output[1]);
    std::string text;
    char buffer[256];
    for (ssize_t n; (n = read(output[0], buffer, sizeof(buffer))) > 0;) text.append(buffer, size_t(n));
    close(output[0]);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    CHECK(text.find("llamatune: fatal: ") == 0 && text.find("nobody catches this") != std::string::npos);
#endif
}

TEST("core/assertion: a failed assertion on a thread of a persistent pool is an error, and the next graph is right") {
    for (const int n_threads : {1, 2, 4, 8}) {
        small_graph g;
        const threadpool_ptr threads = new_threads(n_threads);
        set_n_threads(g.cpu.get(), n_threads);
        set_threadpool(g.cpu.get(), threads.get());
        fail_and_continue(g, 100);
    }
}

TEST("core/assertion: a failed assertion on a thread of one graph is an error, and the next graph is right") {
    for (const int n_threads : {2, 8}) {
        small_graph g;
        set_n_threads(g.cpu.get(), n_threads);
        fail_and_continue(g, 3);
    }
}

TEST("core/assertion: after a failure no thread remains or spins") {
#ifndef __linux__
    SKIP("counts threads in /proc");
#else
    const size_t before = threads_of_process();
    small_graph g;
    set_n_threads(g.cpu.get(), 4);
    fail_and_continue(g, 1); // threads of one graph
    CHECK_EQ(threads_of_process(), before);

    threadpool_ptr threads = new_threads(4);
    set_threadpool(g.cpu.get(), threads.get());
    g.choose(rows - 1, -1);
    message_of_failure(g);
    CHECK_EQ(threads_of_process(), before + 3);
    const std::clock_t start = std::clock(); // CPU time of all threads
    const timespec pause{0, 300'000'000};
    nanosleep(&pause, nullptr);
    CHECK(double(std::clock() - start) / CLOCKS_PER_SEC < 0.1);
    threads.reset();
    CHECK_EQ(threads_of_process(), before);
#endif
}

TEST("core/assertion: an exception of our kernels on a compute thread arrives unchanged") {
    small_graph g;
    set_n_threads(g.cpu.get(), 4);
    const auto throws = [](ggml_tensor *, const ggml_tensor *, int ith, int, void *) {
        if (ith == 3) throw error("TEST", "a kernel failed");
    };
    ggml_tensor * custom = ggml_map_custom1(g.context.get(), g.x, throws, 4, nullptr);
    ggml_backend_buffer_ptr buffer{ggml_backend_alloc_ctx_tensors(g.context.get(), g.cpu.get())};
    ggml_cgraph * graph = ggml_new_graph(g.context.get());
    ggml_build_forward_expand(graph, custom);
    CHECK_ERROR("TEST", ggml_backend_graph_compute(g.cpu.get(), graph));
}
