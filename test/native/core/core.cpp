#include "harness.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/number-text.h"
#include "core/process-memory.h"
#include "core/rng.h"

#include <gguf.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace llamatune;

TEST("core/hash: a content hash does not depend on how the bytes are split") {
    std::string bytes;
    rng random(1);
    for (int i = 0; i < 100; i++) bytes += char(random.below(256));
    const auto hash_of = [](const std::string & text, size_t piece) {
        content_hash hash;
        for (size_t at = 0; at < text.size(); at += piece)
            hash.add(text.data() + at, std::min(piece, text.size() - at));
        return hash.value();
    };
    for (const size_t length : {0, 1, 7, 8, 9, 100}) {
        const std::string text = bytes.substr(0, length);
        for (const size_t piece : {1, 3, 7, 8, 9, 64}) CHECK_EQ(hash_of(text, piece), hash_of(text, 100));
        CHECK(hash_of(text, 8) != hash_of(text + std::string(1, '\0'), 8));
        for (size_t bit = 0; bit < 8 * length; bit++) {
            std::string flipped = text;
            flipped[bit / 8] = char(flipped[bit / 8] ^ (1 << (bit % 8)));
            CHECK(hash_of(flipped, 8) != hash_of(text, 8));
        }
    }
}

// From an independent implementation that agrees with the reference numbers for the state {1, 2, 3, 4}.
TEST("core/rng: xoshiro256** seeded by splitmix64 gives the reference numbers") {
    rng r(1234567);
    for (const uint64_t expected : {3504822795582309479ull, 1819558768956484042ull, 1250851346055027673ull,
                                    16940231675099994102ull, 11585879347611423030ull}) {
        CHECK_EQ(r.next(), uint64_t(expected));
    }
}

TEST("core/rng: streams of one seed differ") {
    std::set<uint64_t> firsts;
    for (uint64_t seed = 0; seed < 32; seed++) {
        for (uint64_t stream = 0; stream < 32; stream++) firsts.insert(rng(seed, stream).next());
    }
    CHECK_EQ(firsts.size(), size_t(32 * 32));
}

TEST("core/rng: below is uniform, uniform stays below its end, normal has mean 0 and deviation 1") {
    rng r(42);
    int counts[7] = {};
    for (int i = 0; i < 70000; i++) counts[r.below(7)]++;
    for (const int c : counts) CHECK_NEAR(c, 10000, 500);
    CHECK_ERROR("ARGUMENT_INVALID", r.below(0));

    for (int i = 0; i < 100000; i++) {
        const float u = r.uniform(1.0f, 1.0f + 1e-6f); // only few floats are in this range, so rounding up would show
        CHECK(u >= 1.0f && u < 1.0f + 1e-6f);
    }
    double sum = 0, squares = 0;
    for (int i = 0; i < 100000; i++) {
        const double x = r.normal();
        sum += x;
        squares += x * x;
    }
    CHECK_NEAR(sum / 100000, 0.0, 0.02);
    CHECK_NEAR(squares / 100000, 1.0, 0.02);

    std::vector<float> filled(99999); // an odd number: the last pair gives one value
    r.fill_normal(filled.data(), filled.size(), 2.0f);
    double product = 0;
    sum = squares = 0;
    for (size_t i = 0; i < filled.size(); i++) {
        sum += filled[i];
        squares += double(filled[i]) * filled[i];
        if (i % 2) product += double(filled[i]) * filled[i - 1];
    }
    CHECK_NEAR(sum / 99999, 0.0, 0.04);
    CHECK_NEAR(squares / 99999, 4.0, 0.08);
    CHECK_NEAR(product / 49999, 0.0, 0.08); // the two values of a pair are independent
}

TEST("core/log: ggml's errors are kept per thread and go to the sink, if there is one") {
    install_log();
    take_recent_errors();
    std::vector<std::string> seen;
    set_log_sink([&](log_level level, const std::string & line) {
        if (level == log_level::error) seen.push_back(line);
    });
    const char junk[] = "JUNKJUNKJUNKJUNK";
    const auto read_junk = [&] {
        gguf_context_ptr gguf(gguf_init_from_buffer(junk, sizeof(junk), {true, nullptr}));
        return !gguf;
    };
    CHECK(read_junk());
    set_log_sink(nullptr);
    CHECK_EQ(seen.size(), size_t(1));
    CHECK(seen[0].find("invalid magic") != std::string::npos);

    std::string elsewhere = "x";
    std::thread([&] { elsewhere = take_recent_errors(); }).join();
    CHECK_EQ(elsewhere, std::string());
    CHECK(take_recent_errors().find("invalid magic") != std::string::npos);
    CHECK_EQ(take_recent_errors(), std::string());

    CHECK(read_junk()); // no sink: kept, not printed
    CHECK(!take_recent_errors().empty());
    CHECK_EQ(seen.size(), size_t(1));
    CHECK(!write_log(log_level::info, "no sink"));
}

TEST("core/process-memory: a touched block shows in the resident set") {
    CHECK(resident_bytes() && peak_resident_bytes());
    // far larger than the freed memory that the allocator keeps resident
    constexpr uint64_t size = 256u << 20;
    const uint64_t before = *resident_bytes();
    std::vector<char> block(size, 1);
    const uint64_t during = *resident_bytes();
    CHECK(during >= before + size / 2 + uint64_t(block[12345] - 1));
    CHECK(*peak_resident_bytes() + (1u << 20) >= during);
}

TEST("core/cpu: counts between one and all logical processors") {
    CHECK(usable_physical_cores() >= 1);
    const int logical = int(std::thread::hardware_concurrency());
    CHECK(logical == 0 || usable_physical_cores() <= logical);
}

TEST("core/number-text: numbers in messages are whole where they can be, and short otherwise") {
    CHECK_EQ(number_text(151936), std::string("151936"));
    CHECK_EQ(number_text(1234567), std::string("1234567"));
    CHECK_EQ(number_text(-2), std::string("-2"));
    CHECK_EQ(number_text(0.1), std::string("0.1"));
    CHECK_EQ(number_text(1e-8), std::string("1e-08"));
}
