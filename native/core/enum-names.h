#pragma once

#include <string>
#include <type_traits>

namespace llamatune {

// Maps an enum's value to its name in options and events. Each enum that crosses to JavaScript has one table:
//   inline constexpr enum_name<train_mode> train_mode_names[] = {{train_mode::lora, "lora"}, …};
//   constexpr auto & names_of(train_mode) { return train_mode_names; }
template <class E>
struct enum_name {
    E value;
    const char * name;
};

template <class E>
const char * name_of(E value) {
    static_assert(std::is_enum_v<E>);
    for (const enum_name<E> & each : names_of(value))
        if (each.value == value) return each.name;
    return "";
}

}
