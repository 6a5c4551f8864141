#pragma once

#include <string>
#include <vector>

namespace llamatune {

// Turns the bytes of tokens, which may end inside a character, into text that can be shown. It holds back incomplete
// characters and everything that may be the start of a stop string. Bytes that are not UTF-8 become U+FFFD.
class text_stream {
public:
    explicit text_stream(const std::vector<std::string> & stops); // an empty stop string stops nothing

    // Returns what can be shown now.
    std::string push(const std::string & bytes);
    // The text has ended: returns what was held back.
    std::string finish();

    bool stopped() const { return stopped_; } // a stop string was found; the text after it is dropped

private:
    std::vector<std::string> stops_;
    std::string pending_;
    bool stopped_ = false;
};

}
