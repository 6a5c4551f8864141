#pragma once

#include "binding/node.h"

#include <cstdint>
#include <string>
#include <vector>

namespace llamatune::binding {

// Typed reading of an option object. The TypeScript layer has validated everything already; this is the second line,
// so that a wrong call ends in an error and never in undefined behaviour.
// Every reader throws error ARGUMENT_INVALID: "expected number for maxTokens but received string".
class args {
public:
    args(Napi::Value value, std::string name);

    bool has(const char * key) const; // neither undefined nor null
    std::string text(const char * key) const;
    double number(const char * key) const;
    int32_t int32(const char * key) const;
    uint64_t whole(const char * key) const; // 0 … 2^53
    bool flag(const char * key) const;
    std::vector<std::string> texts(const char * key) const;
    std::vector<float> floats(const char * key) const;   // Float32Array
    std::vector<int32_t> int32s(const char * key) const; // Int32Array
    args object(const char * key) const;
    std::vector<args> objects(const char * key) const;

private:
    Napi::Value get(const char * key) const;
    std::string path(const char * key) const;

    Napi::Object object_;
    std::string name_;
};

// The same for plain arguments.
std::string text_argument(const Napi::CallbackInfo & info, size_t i, const char * name);
bool flag_argument(const Napi::CallbackInfo & info, size_t i, const char * name);
int32_t int32_argument(const Napi::CallbackInfo & info, size_t i, const char * name);
std::vector<std::string> texts_argument(const Napi::CallbackInfo & info, size_t i, const char * name);
std::vector<int32_t> int32s_argument(const Napi::CallbackInfo & info, size_t i, const char * name);
// A function, or an empty value where undefined or null came.
Napi::Function callback_argument(const Napi::CallbackInfo & info, size_t i, const char * name);

}
