#pragma once

namespace llamatune {

// From here on a failed assertion goes through us (idempotent; every guard does it too).
void install_abort_handler();

// While one lives on this thread, a failed GGML_ASSERT on this same thread throws llamatune::error
// (code "NATIVE_ASSERTION") instead of ending the process; the object that was being worked on must be thrown away.
// An assertion on a thread without a guard still aborts, after its message went to the log.
class abort_guard {
public:
    abort_guard();
    ~abort_guard();
    abort_guard(const abort_guard &) = delete;
    abort_guard & operator=(const abort_guard &) = delete;
};

}
