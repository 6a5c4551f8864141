#pragma once

#include "binding/node.h"
#include "core/enum-names.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace llamatune::binding {

// Convert plain C++ values to JavaScript. NaN and an empty optional become null, an enum its name, a struct an object.
Napi::Value write(Napi::Env env, bool value);
Napi::Value write(Napi::Env env, double value);
Napi::Value write(Napi::Env env, const std::string & value);
Napi::Value write(Napi::Env env, const std::vector<int32_t> & values); // Int32Array
Napi::Value write(Napi::Env env, const std::vector<float> & values);   // Float32Array
Napi::Value write(Napi::Env env, const std::vector<double> & values);  // Float64Array

template <class T>
Napi::Value write(Napi::Env env, const std::optional<T> & value);
template <class T>
Napi::Value write(Napi::Env env, const std::vector<T> & values);
template <class T>
Napi::Value write(Napi::Env env, const std::map<std::string, T> & values);
template <class... T>
Napi::Value write(Napi::Env env, const std::variant<T...> & value);
template <class T>
Napi::Value write(Napi::Env env, const T & value); // a number, an enum, or a struct by its fields

// The visitor that makes an object from a struct's fields.
class field_writer {
public:
    explicit field_writer(Napi::Env env) : env_(env), object_(Napi::Object::New(env)) {}

    void type(const char * name) { object_.Set("type", name); }
    template <class T>
    void operator()(const char * name, const T & value) {
        object_.Set(name, write(env_, value));
    }

    Napi::Object object() const { return object_; }

private:
    Napi::Env env_;
    Napi::Object object_;
};

template <class T>
Napi::Value write(Napi::Env env, const std::optional<T> & value) {
    return value ? write(env, *value) : env.Null();
}

template <class T>
Napi::Value write(Napi::Env env, const std::vector<T> & values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) array.Set(i, write(env, values[i]));
    return array;
}

template <class T>
Napi::Value write(Napi::Env env, const std::map<std::string, T> & values) {
    Napi::Object object = Napi::Object::New(env);
    for (const auto & [key, value] : values) object.Set(key, write(env, value));
    return object;
}

template <class... T>
Napi::Value write(Napi::Env env, const std::variant<T...> & value) {
    return std::visit([env](const auto & alternative) { return write(env, alternative); }, value);
}

template <class T>
Napi::Value write(Napi::Env env, const T & value) {
    if constexpr (std::is_arithmetic_v<T>) {
        return write(env, double(value));
    } else if constexpr (std::is_enum_v<T>) {
        return Napi::String::New(env, name_of(value));
    } else {
        field_writer writer(env);
        fields(writer, const_cast<T &>(value)); // `fields` is also for readers; this visitor changes nothing
        return writer.object();
    }
}

// Returns a maker of the value, for a run's thread, which must not touch JavaScript itself.
template <class T>
js_maker written(T value) {
    return [value = std::move(value)](Napi::Env env) { return write(env, value); };
}

}
