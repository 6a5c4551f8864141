#pragma once

#include <stdexcept>
#include <string>

namespace llamatune {

// The one exception type of the native code. `code` is stable and upper case ("MODEL_NOT_FOUND"). The message is a
// plain sentence; for an invalid argument or option it reads "expected … but received …". `hint` says what to do next
// (may be empty).
class error : public std::runtime_error {
public:
    error(std::string code, const std::string & message, std::string hint = {})
        : std::runtime_error(message), code_(std::move(code)), hint_(std::move(hint)) {}

    const std::string & code() const { return code_; }
    const std::string & hint() const { return hint_; }

private:
    std::string code_;
    std::string hint_;
};

}
