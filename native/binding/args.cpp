#include "binding/args.h"

#include "core/error.h"

#include <cmath>
#include <limits>

namespace llamatune::binding {

namespace {

std::string type_of(const Napi::Value & value) {
    if (value.IsEmpty() || value.IsUndefined()) return "undefined";
    if (value.IsNull()) return "null";
    if (value.IsArray()) return "array";
    if (value.IsTypedArray()) return "another typed array";
    if (value.IsString()) return "string";
    if (value.IsNumber()) return "number";
    if (value.IsBoolean()) return "boolean";
    if (value.IsFunction()) return "function";
    return "object";
}

[[noreturn]] void not_expected(const std::string & expected, const std::string & name, const std::string & received) {
    throw error("ARGUMENT_INVALID", "expected " + expected + " for " + name + " but received " + received,
                "call the addon through llamatune's own functions");
}

std::string to_text(const Napi::Value & value, const std::string & name) {
    if (!value.IsString()) not_expected("string", name, type_of(value));
    return value.As<Napi::String>().Utf8Value();
}

double to_number(const Napi::Value & value, const std::string & name) {
    if (!value.IsNumber()) not_expected("number", name, type_of(value));
    return value.As<Napi::Number>().DoubleValue();
}

double to_integer(const Napi::Value & value, const std::string & name, double min, double max) {
    const double number = to_number(value, name);
    if (!(std::trunc(number) == number) || number < min || number > max) {
        not_expected("integer from " + std::to_string(int64_t(min)) + " to " + std::to_string(int64_t(max)), name,
                     std::to_string(number));
    }
    return number;
}

int32_t to_int32(const Napi::Value & value, const std::string & name) {
    return int32_t(to_integer(value, name, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
}

bool to_flag(const Napi::Value & value, const std::string & name) {
    if (!value.IsBoolean()) not_expected("boolean", name, type_of(value));
    return value.As<Napi::Boolean>().Value();
}

template <typename Element>
std::vector<Element> to_vector(const Napi::Value & value, napi_typedarray_type type, const char * expected,
                               const std::string & name) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
        not_expected(expected, name, type_of(value));
    }
    const auto array = value.As<Napi::TypedArrayOf<Element>>();
    return std::vector<Element>(array.Data(), array.Data() + array.ElementLength());
}

Napi::Array to_array(const Napi::Value & value, const std::string & name) {
    if (!value.IsArray()) not_expected("array", name, type_of(value));
    return value.As<Napi::Array>();
}

std::vector<std::string> to_texts(const Napi::Value & value, const std::string & name) {
    const Napi::Array array = to_array(value, name);
    std::vector<std::string> result(array.Length());
    for (uint32_t i = 0; i < result.size(); i++) result[i] = to_text(array.Get(i), name + "." + std::to_string(i));
    return result;
}

}

args::args(Napi::Value value, std::string name) : name_(std::move(name)) {
    if (!value.IsObject() || value.IsArray() || value.IsFunction()) not_expected("object", name_, type_of(value));
    object_ = value.As<Napi::Object>();
}

Napi::Value args::get(const char * key) const { return object_.Get(key); }
std::string args::path(const char * key) const { return name_.empty() ? key : name_ + "." + key; }

bool args::has(const char * key) const {
    const Napi::Value value = get(key);
    return !value.IsUndefined() && !value.IsNull();
}

std::string args::text(const char * key) const { return to_text(get(key), path(key)); }
double args::number(const char * key) const { return to_number(get(key), path(key)); }
int32_t args::int32(const char * key) const { return to_int32(get(key), path(key)); }
bool args::flag(const char * key) const { return to_flag(get(key), path(key)); }
uint64_t args::whole(const char * key) const {
    return uint64_t(to_integer(get(key), path(key), 0, 9007199254740992.0));
}
args args::object(const char * key) const { return args(get(key), path(key)); }

std::vector<float> args::floats(const char * key) const {
    return to_vector<float>(get(key), napi_float32_array, "Float32Array", path(key));
}

std::vector<int32_t> args::int32s(const char * key) const {
    return to_vector<int32_t>(get(key), napi_int32_array, "Int32Array", path(key));
}

std::vector<std::string> args::texts(const char * key) const { return to_texts(get(key), path(key)); }

std::vector<args> args::objects(const char * key) const {
    const Napi::Array array = to_array(get(key), path(key));
    std::vector<args> result;
    for (uint32_t i = 0; i < array.Length(); i++) {
        result.emplace_back(array.Get(i), path(key) + "." + std::to_string(i));
    }
    return result;
}

std::string text_argument(const Napi::CallbackInfo & info, size_t i, const char * name) {
    return to_text(info[i], name);
}
bool flag_argument(const Napi::CallbackInfo & info, size_t i, const char * name) { return to_flag(info[i], name); }
int32_t int32_argument(const Napi::CallbackInfo & info, size_t i, const char * name) { return to_int32(info[i], name); }

std::vector<std::string> texts_argument(const Napi::CallbackInfo & info, size_t i, const char * name) {
    return to_texts(info[i], name);
}

std::vector<int32_t> int32s_argument(const Napi::CallbackInfo & info, size_t i, const char * name) {
    return to_vector<int32_t>(info[i], napi_int32_array, "Int32Array", name);
}

Napi::Function callback_argument(const Napi::CallbackInfo & info, size_t i, const char * name) {
    if (info[i].IsUndefined() || info[i].IsNull()) return Napi::Function();
    if (!info[i].IsFunction()) not_expected("function", name, type_of(info[i]));
    return info[i].As<Napi::Function>();
}

}
