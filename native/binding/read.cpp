#include "binding/read.h"

#include "core/error.h"
#include "core/join.h"
#include "core/number-text.h"

#include <cmath>
#include <limits>

namespace llamatune::binding {

namespace {

constexpr double largest_exact_integer = 9007199254740992.0; // 2^53

std::string describe(const Napi::Value & value) {
    if (value.IsEmpty() || value.IsUndefined()) return "undefined";
    if (value.IsNull()) return "null";
    if (value.IsArray()) return "array";
    if (value.IsTypedArray()) return "another typed array";
    if (value.IsString()) return "string";
    if (value.IsNumber()) return number_text(value.As<Napi::Number>().DoubleValue());
    if (value.IsBoolean()) return "boolean";
    if (value.IsFunction()) return "function";
    return "object";
}

double read_number(const input & in) {
    if (in.value.IsNumber()) return in.value.As<Napi::Number>().DoubleValue();
    in.expected("number");
    return 0;
}

double read_integer(const input & in, double min, double max) {
    const double number = in.value.IsNumber() ? in.value.As<Napi::Number>().DoubleValue() : std::nan("");
    if (std::trunc(number) == number && number >= min && number <= max) return number;
    in.expected("integer from " + std::to_string(int64_t(min)) + " to " + std::to_string(int64_t(max)));
    return 0;
}

template <class Element>
void read_elements(const input & in, napi_typedarray_type type, const char * array_name, std::vector<Element> & to) {
    if (in.value.IsTypedArray() && in.value.As<Napi::TypedArray>().TypedArrayType() == type) {
        const auto array = in.value.As<Napi::TypedArrayOf<Element>>();
        to.assign(array.Data(), array.Data() + array.ElementLength());
    } else if (in.value.IsArray()) {
        const Napi::Array array = in.value.As<Napi::Array>();
        to.resize(array.Length());
        for (uint32_t i = 0; i < to.size(); i++) read(in.at(std::to_string(i), array.Get(i)), to[i]);
    } else {
        in.expected(std::string(array_name) + " or array");
    }
}

}

void input::expected(const std::string & what) const {
    problems.push_back("expected " + what + " for " + (path.empty() ? "options" : path) + " but received " +
                       describe(value));
}

void read(const input & in, bool & to) {
    if (!in.value.IsBoolean()) return in.expected("boolean");
    to = in.value.As<Napi::Boolean>().Value();
}

void read(const input & in, int32_t & to) {
    to = int32_t(read_integer(in, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

void read(const input & in, int64_t & to) {
    to = int64_t(read_integer(in, -largest_exact_integer, largest_exact_integer));
}

void read(const input & in, uint64_t & to) { to = uint64_t(read_integer(in, 0, largest_exact_integer)); }
void read(const input & in, float & to) { to = float(read_number(in)); }
void read(const input & in, double & to) { to = read_number(in); }

void read(const input & in, std::string & to) {
    if (!in.value.IsString()) return in.expected("string");
    to = in.value.As<Napi::String>().Utf8Value();
}

void read(const input & in, std::vector<float> & to) { read_elements(in, napi_float32_array, "Float32Array", to); }
void read(const input & in, std::vector<int32_t> & to) { read_elements(in, napi_int32_array, "Int32Array", to); }

void read(const input & in, Napi::Function & to) {
    if (in.absent()) return;
    if (!in.value.IsFunction()) return in.expected("function");
    to = in.value.As<Napi::Function>();
}

void throw_problems(const std::vector<std::string> & problems) {
    if (problems.empty()) return;
    throw error("ARGUMENT_INVALID", join(problems, "; "), "call the addon through llamatune's own functions");
}

}
