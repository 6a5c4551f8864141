#include "binding/values.h"

#include <algorithm>
#include <cmath>

namespace llamatune::binding {

Napi::Value js_value::make(Napi::Env env) const {
    switch (kind_) {
    case kind::flag: return Napi::Boolean::New(env, flag_);
    case kind::text: return Napi::String::New(env, text_);
    case kind::ready: return ready_;
    case kind::number: break;
    }
    return std::isnan(number_) ? env.Null() : Napi::Number::New(env, number_);
}

Napi::Object make_object(Napi::Env env, std::initializer_list<std::pair<const char *, js_value>> fields) {
    Napi::Object object = Napi::Object::New(env);
    for (const auto & field : fields) object.Set(field.first, field.second.make(env));
    return object;
}

Napi::Value make_int32_array(Napi::Env env, const std::vector<int32_t> & values) {
    Napi::Int32Array array = Napi::Int32Array::New(env, values.size());
    std::copy(values.begin(), values.end(), array.Data());
    return array;
}

Napi::Value make_text_array(Napi::Env env, const std::vector<std::string> & values) {
    Napi::Array array = Napi::Array::New(env, values.size());
    for (uint32_t i = 0; i < values.size(); i++) array.Set(i, Napi::String::New(env, values[i]));
    return array;
}

Napi::Value positive_or_null(Napi::Env env, double number) {
    return number > 0 ? Napi::Value(Napi::Number::New(env, number)) : env.Null();
}

}
