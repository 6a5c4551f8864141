#include "harness.h"

#include "generate/text-stream.h"

using llamatune::text_stream;

// Pushes the text in pieces of n bytes; every returned piece must start and end at a character boundary.
static std::string feed(text_stream & stream, const std::string & text, size_t n) {
    std::string shown;
    for (size_t at = 0; at < text.size() && !stream.stopped(); at += n) {
        const std::string piece = stream.push(text.substr(at, n));
        if (!piece.empty()) CHECK((uint8_t(piece[0]) & 0xc0) != 0x80);
        shown += piece;
    }
    if (!stream.stopped()) shown += stream.finish();
    return shown;
}

TEST("text-stream: a text that is split anywhere is put together again") {
    const std::string text = "Grüße, 你好 🎉 fin\xC3\xA9";
    for (size_t n = 1; n <= text.size(); n++) {
        text_stream stream({"</s>"});
        CHECK_EQ(feed(stream, text, n), text);
        CHECK(!stream.stopped());
    }
}

TEST("text-stream: the first stop string ends the text, wherever the text is split") {
    const std::string text = "one two three 🎉 four";
    for (size_t n = 1; n <= text.size(); n++) {
        text_stream stream({"four", "ee 🎉", "e 🎉 f"});
        CHECK_EQ(feed(stream, text, n), std::string("one two thr"));
        CHECK(stream.stopped());
        CHECK_EQ(stream.push("more"), std::string());
    }
}

TEST("text-stream: only a possible start of a stop string is held back") {
    text_stream stream({"<|end|>"});
    CHECK_EQ(stream.push("ab<|e"), std::string("ab"));
    CHECK_EQ(stream.push("x"), std::string("<|ex"));
    CHECK_EQ(stream.push("<|en"), std::string());
    CHECK_EQ(stream.finish(), std::string("<|en"));
}

TEST("text-stream: bytes that are not UTF-8 become U+FFFD and delay nothing") {
    const std::string mark = "\xEF\xBF\xBD";
    text_stream stream({});
    CHECK_EQ(stream.push("a\xFF"
                         "b"),
             "a" + mark + "b");
    CHECK_EQ(stream.push("\x80"), mark);
    CHECK_EQ(stream.push("\xC3("), mark + "(");
    CHECK_EQ(stream.push("\xED\xA0\x80"), mark + mark + mark); // a surrogate
    CHECK_EQ(stream.push("\xF0\x9F"), std::string());
    CHECK_EQ(stream.finish(), mark);
}
