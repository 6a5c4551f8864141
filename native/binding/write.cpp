#include "binding/write.h"

#include <algorithm>
#include <cmath>

namespace llamatune::binding {

Napi::Value write(Napi::Env env, bool value) { return Napi::Boolean::New(env, value); }

Napi::Value write(Napi::Env env, double value) {
    return std::isnan(value) ? env.Null() : Napi::Value(Napi::Number::New(env, value));
}

Napi::Value write(Napi::Env env, const std::string & value) { return Napi::String::New(env, value); }

Napi::Value write(Napi::Env env, const std::vector<int32_t> & values) {
    Napi::Int32Array array = Napi::Int32Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
}

Napi::Value write(Napi::Env env, const std::vector<float> & values) {
    Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
}

Napi::Value write(Napi::Env env, const std::vector<double> & values) {
    Napi::Float64Array array = Napi::Float64Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
}

}
