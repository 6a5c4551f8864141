#pragma once

#include <string>
#include <vector>

namespace llamatune {

// Converts the bytes of tokens, which may end inside a character, to text that can be shown. It holds back incomplete
// characters and any suffix that may become a stop string. Bytes that are not UTF-8 become U+FFFD.
class text_stream {
public:
    explicit text_stream(const std::vector<std::string> & stops); // empty stop strings are ignored

    // Returns the text that can be shown now.
    std::string push(const std::string & bytes);
    // Ends the text and returns what was held back.
    std::string finish();

    bool stopped() const { return stopped_; } // a stop string was found; the text after it is dropped

private:
    std::vector<std::string> stops_;
    std::string pending_;
    bool stopped_ = false;
};

}
