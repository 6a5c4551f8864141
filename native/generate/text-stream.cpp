#include "generate/text-stream.h"

#include <algorithm>
#include <cstdint>

namespace llamatune {

namespace {

// Returns the length of the UTF-8 sequence that starts at `at`: > 0 if complete, 0 if the text ends within it, < 0:
// minus the number of bytes that are not UTF-8.
int sequence_length(const std::string & text, size_t at) {
    const auto byte = [&](size_t i) { return uint8_t(text[i]); };
    const uint8_t lead = byte(at);
    if (lead < 0x80) return 1;
    const int length = lead >= 0xc2 && lead <= 0xdf   ? 2
                       : (lead & 0xf0) == 0xe0        ? 3
                       : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                      : 0;
    if (length == 0) return -1;
    for (int i = 1; i < length; i++) {
        if (at + size_t(i) >= text.size()) return 0;
        uint8_t low = 0x80,
                high = 0xbf; // narrower for the second byte: no overlong forms, surrogates or values above U+10FFFF
        if (i == 1 && lead == 0xe0) low = 0xa0;
        if (i == 1 && lead == 0xed) high = 0x9f;
        if (i == 1 && lead == 0xf0) low = 0x90;
        if (i == 1 && lead == 0xf4) high = 0x8f;
        if (byte(at + size_t(i)) < low || byte(at + size_t(i)) > high) return -i;
    }
    return length;
}

// Takes whole characters, at most `limit` bytes, from the front of `pending`; invalid bytes become U+FFFD.
std::string take_characters(std::string & pending, size_t limit, bool ended) {
    std::string text;
    size_t at = 0;
    while (at < limit) {
        const int n = sequence_length(pending, at);
        if (n > 0) {
            if (at + size_t(n) > limit) break;
            text.append(pending, at, size_t(n));
            at += size_t(n);
        } else if (n < 0) {
            text += "\xEF\xBF\xBD";
            at += size_t(-n);
        } else if (ended) {
            text += "\xEF\xBF\xBD";
            at = pending.size();
        } else {
            break;
        }
    }
    pending.erase(0, std::min(at, pending.size()));
    return text;
}

// Returns the length of the longest suffix of `text` that is a prefix of a stop string.
size_t held_back_length(const std::string & text, const std::vector<std::string> & stops) {
    size_t held = 0;
    for (const std::string & stop : stops) {
        for (size_t n = std::min(text.size(), stop.size() - 1); n > held; n--) {
            if (text.compare(text.size() - n, n, stop, 0, n) == 0) {
                held = n;
                break;
            }
        }
    }
    return held;
}

}

text_stream::text_stream(const std::vector<std::string> & stops) {
    for (const std::string & stop : stops)
        if (!stop.empty()) stops_.push_back(stop);
}

std::string text_stream::push(const std::string & bytes) {
    if (stopped_) return {};
    pending_ += bytes;
    size_t first = std::string::npos;
    for (const std::string & stop : stops_) first = std::min(first, pending_.find(stop));
    if (first != std::string::npos) {
        stopped_ = true;
        pending_.resize(first);
        return finish();
    }
    return take_characters(pending_, pending_.size() - held_back_length(pending_, stops_), false);
}

std::string text_stream::finish() { return take_characters(pending_, pending_.size(), true); }

}
