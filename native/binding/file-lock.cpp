#include "binding/file-lock.h"

#include "binding/errors.h"
#include "binding/read.h"
#include "core/error.h"
#include "core/file-system.h"

#include <cerrno>
#include <cstring>

namespace llamatune::binding {

namespace {

const char * state_text(file_system::lock_state state) {
    switch (state) {
    case file_system::lock_state::held: return "held";
    case file_system::lock_state::busy: return "busy";
    case file_system::lock_state::unsupported: return "unsupported";
    case file_system::lock_state::failed: break;
    }
    return "failed";
}

}

Napi::Value lock_file_call(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
        const std::string path = argument<std::string>(info, 0, "path");
        file_system::lock_attempt attempt = file_system::try_lock(std::filesystem::u8path(path));
        if (attempt.state == file_system::lock_state::failed) {
            throw error("OUTPUT_NOT_WRITABLE", "cannot create '" + path + "': " + std::strerror(errno),
                        "check that the folder exists and that you may write to it");
        }
        Napi::Object handle = Napi::Object::New(info.Env());
        handle.Set("state", state_text(attempt.state));
        const auto held = std::make_shared<std::unique_ptr<file_system::held_lock>>(std::move(attempt.lock));
        const auto release = [held](const Napi::CallbackInfo &) {
            if (*held) (*held)->release();
            held->reset();
        };
        handle.Set("release", Napi::Function::New(info.Env(), release, "release"));
        return handle;
    });
}

}
