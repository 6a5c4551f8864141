#pragma once

#include "binding/node.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace llamatune::binding {

// A field of a plain JavaScript object. A NaN becomes null: "not measured".
class js_value {
public:
    js_value(double number) : number_(number) {}
    js_value(int32_t number) : number_(number) {}
    js_value(int64_t number) : number_(double(number)) {}
    js_value(uint64_t number) : number_(double(number)) {}
    js_value(bool flag) : kind_(kind::flag), flag_(flag) {}
    js_value(const char * text) : kind_(kind::text), text_(text) {}
    js_value(std::string text) : kind_(kind::text), text_(std::move(text)) {}
    js_value(Napi::Value value) : kind_(kind::ready), ready_(value) {}

    Napi::Value make(Napi::Env env) const;

private:
    enum class kind { number, flag, text, ready };
    kind kind_ = kind::number;
    double number_ = 0;
    bool flag_ = false;
    std::string text_;
    Napi::Value ready_;
};

Napi::Object make_object(Napi::Env env, std::initializer_list<std::pair<const char *, js_value>> fields);
Napi::Value make_int32_array(Napi::Env env, const std::vector<int32_t> & values);
Napi::Value make_text_array(Napi::Env env, const std::vector<std::string> & values);

// null where the number is 0, which stands for "cannot be read here".
Napi::Value positive_or_null(Napi::Env env, double number);

}
