#pragma once

#include <string>

namespace llamatune {

// Appends an item to a list in a message: "a, b, c".
inline void append_to(std::string & list, const std::string & item, const char * separator = ", ") {
    list += (list.empty() ? "" : separator) + item;
}

template <class Items>
std::string join(const Items & items, const char * separator = ", ") {
    std::string list;
    for (const auto & item : items) append_to(list, item, separator);
    return list;
}

// Joins the texts that `text_of` makes of the items.
template <class Items, class Text>
std::string join_texts(const Items & items, const Text & text_of, const char * separator = ", ") {
    std::string list;
    for (const auto & item : items) append_to(list, text_of(item), separator);
    return list;
}

}
