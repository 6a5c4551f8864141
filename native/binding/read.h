#pragma once

#include "binding/node.h"
#include "core/enum-names.h"
#include "core/join.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace llamatune::binding {

// A JavaScript value that is being converted, with its path ("optimizer.beta1") and the list of problems. The
// TypeScript layer has already validated values; these checks only make sure that an incorrect call ends in an error.
struct input {
    Napi::Value value;
    std::string path;
    std::vector<std::string> & problems;

    bool absent() const { return value.IsUndefined() || value.IsNull(); }
    input at(const std::string & key, Napi::Value member) const {
        return {member, path.empty() ? key : path + "." + key, problems};
    }
    // "expected number for optimizer.beta1 but received string"
    void expected(const std::string & what) const;
};

void read(const input & in, bool & to);
void read(const input & in, int32_t & to);
void read(const input & in, int64_t & to);  // up to 2^53
void read(const input & in, uint64_t & to); // up to 2^53
void read(const input & in, float & to);
void read(const input & in, double & to);
void read(const input & in, std::string & to);
void read(const input & in, std::vector<float> & to);   // Float32Array, or an array
void read(const input & in, std::vector<int32_t> & to); // Int32Array, or an array
void read(const input & in, Napi::Function & to);       // left empty if the value is absent

template <class T>
void read(const input & in, std::optional<T> & to);
template <class T>
void read(const input & in, std::vector<T> & to);
template <class T>
void read(const input & in, T & to); // an enum by its table of names, a struct by its fields

// The visitor that fills a struct's fields from an object's properties. Properties without a field are ignored, so that
// a whole configuration may be passed.
class field_reader {
public:
    explicit field_reader(const input & from) : from_(from), object_(from.value.As<Napi::Object>()) {}

    template <class T>
    void operator()(const char * name, T & to) {
        read(from_.at(name, object_.Get(name)), to);
        names_.insert(name);
    }

    // Reads numbers whose names are not known here: every property without a field.
    void numbers(std::map<std::string, double> & to) {
        for (const auto & property : object_) {
            const std::string name = property.first.ToString();
            const Napi::Value value = property.second;
            if (!names_.count(name) && !value.IsUndefined()) read(from_.at(name, value), to[name]);
        }
    }

private:
    const input & from_;
    Napi::Object object_;
    std::set<std::string> names_; // of the fields
};

template <class T>
void read(const input & in, std::optional<T> & to) {
    if (!in.absent()) read(in, to.emplace());
}

template <class T>
void read(const input & in, std::vector<T> & to) {
    if (!in.value.IsArray()) return in.expected("array");
    const Napi::Array array = in.value.As<Napi::Array>();
    to.resize(array.Length());
    for (uint32_t i = 0; i < to.size(); i++) read(in.at(std::to_string(i), array.Get(i)), to[i]);
}

template <class T>
void read(const input & in, T & to) {
    if constexpr (std::is_enum_v<T>) {
        const std::string given = in.value.IsString() ? in.value.As<Napi::String>().Utf8Value() : "";
        std::string names;
        for (const enum_name<T> & each : names_of(T())) {
            if (given == each.name) {
                to = each.value;
                return;
            }
            append_to(names, "'" + std::string(each.name) + "'", " or ");
        }
        in.expected(names);
    } else {
        if (!in.value.IsObject() || in.value.IsArray() || in.value.IsFunction()) return in.expected("object");
        field_reader reader(in);
        fields(reader, to);
    }
}

// Throws error ARGUMENT_INVALID, naming all problems, if there are any.
void throw_problems(const std::vector<std::string> & problems);

// Converts an argument of a call. Throws error ARGUMENT_INVALID, naming all of its problems.
template <class T>
T argument(const Napi::CallbackInfo & info, size_t i, const char * name) {
    std::vector<std::string> problems;
    T to{};
    read(input{info[i], name, problems}, to);
    throw_problems(problems);
    return to;
}

// Converts an object of options; the paths of its problems begin with the option's name.
template <class T>
T options_argument(const Napi::CallbackInfo & info, size_t i) {
    return argument<T>(info, i, "");
}

}
