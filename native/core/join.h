#pragma once

#include <string>

namespace llamatune {

// Adds an item to a list in a message: "a, b, c".
inline void append_to(std::string & list, const std::string & item, const char * separator = ", ") {
    list += (list.empty() ? "" : separator) + item;
}

template <class Items>
std::string join(const Items & items, const char * separator = ", ") {
    std::string list;
    for (const auto & item : items) append_to(list, item, separator);
    return list;
}

}
