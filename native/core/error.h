#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace llamatune {

// One of several problems: its path (an option as the user writes it, e.g. "lora.rank", or a key of a file) and a
// message.
struct problem {
    std::string path;
    std::string message;
};

// The one exception type of the native code. `code` is stable and upper case ("MODEL_NOT_FOUND"). The message is a
// plain sentence; for an invalid argument or option it reads "expected … but received …". `hint` says what to do next
// (may be empty). `problems` lists several problems that were found at once.
class error : public std::runtime_error {
public:
    error(std::string code, const std::string & message, std::string hint = {}, std::vector<problem> problems = {})
        : std::runtime_error(message), code_(std::move(code)), hint_(std::move(hint)), problems_(std::move(problems)) {}

    const std::string & code() const { return code_; }
    const std::string & hint() const { return hint_; }
    const std::vector<problem> & problems() const { return problems_; }

private:
    std::string code_;
    std::string hint_;
    std::vector<problem> problems_;
};

}
