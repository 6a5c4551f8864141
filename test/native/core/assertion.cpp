#include "core/assertion.h"

#include "core/error.h"
#include "core/ggml-ptr.h"
#include "harness.h"

#include <thread>

#ifndef _WIN32
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace llamatune;

TEST("core/assertion: a failed assertion in ggml is an error, on any thread that catches it") {
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

TEST("core/assertion: where nothing catches it the process ends, and says why") {
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
