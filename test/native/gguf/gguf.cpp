#include "harness.h"
#include "model/tiny-models.h"

#include "adapter/adapter-header.h"
#include "core/error.h"
#include "gguf/reader.h"
#include "gguf/writer.h"

#include <ggml-backend.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

using namespace llamatune;
namespace fs = std::filesystem;

namespace {

std::vector<float> counted(size_t n) {
    std::vector<float> values(n);
    std::iota(values.begin(), values.end(), 0.0f);
    return values;
}

byte_source in_pieces(const std::vector<float> & values, size_t n_per_piece) {
    return [&values, n_per_piece](const byte_sink & sink) {
        for (size_t at = 0; at < values.size(); at += n_per_piece)
            sink(values.data() + at, std::min(n_per_piece, values.size() - at) * sizeof(float));
    };
}

std::string contents(const std::string & path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_contents(const std::string & path, const std::string & bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

// Writes an adapter with one pair, without using our adapter code.
std::string small_adapter() {
    static const std::vector<float> values = counted(64 * 4);
    gguf_writer writer;
    writer.set("general.type", "adapter");
    writer.set("general.architecture", "llama");
    writer.set("adapter.type", "lora");
    writer.set("adapter.lora.alpha", 8.0f);
    writer.set("names", std::vector<std::string>{"one", "two"});
    writer.set("counts", std::vector<int32_t>{1, -2, 3});
    writer.add("blk.0.attn_q.weight.lora_a", GGML_TYPE_F32, {64, 4}, in_pieces(values, 50));
    writer.add("blk.0.attn_q.weight.lora_b", GGML_TYPE_F32, {4, 64}, in_pieces(values, 256));
    const std::string path = tiny::scratch("gguf-small.gguf");
    writer.write(path);
    return path;
}

}

TEST("gguf: written values are read back, and a key of another type gives the fallback") {
    gguf_reader file(small_adapter(), adapter_file);
    CHECK_EQ(file.text("general.type"), "adapter");
    CHECK_EQ(file.text("adapter.lora.alpha", "no text"), "no text");
    CHECK_EQ(file.integer("adapter.lora.alpha", -1), -1);
    CHECK(file.flag("counts", true));
    CHECK((file.numbers("counts") == std::vector<double>{1, -2, 3}));
    CHECK((file.numbers("adapter.lora.alpha") == std::vector<double>{8}));
    CHECK(file.numbers("names").empty() && file.numbers("general.type").empty() && file.numbers("missing").empty());
    CHECK_EQ(file.tensors().size(), size_t(2));
    const gguf_tensor * a = file.find("blk.0.attn_q.weight.lora_a");
    CHECK(a && a->type == GGML_TYPE_F32 && a->bytes == 64 * 4 * sizeof(float));
    CHECK_EQ(shape_text(a->shape.data()), "[64, 4]");
    CHECK(file.find("blk.0.attn_q.weight") == nullptr);
    std::vector<float> values;
    file.read(*a, [&](const void * data, size_t bytes) {
        const auto * floats = static_cast<const float *>(data);
        values.insert(values.end(), floats, floats + bytes / sizeof(float));
    });
    CHECK(values == counted(64 * 4));
}

TEST("gguf: tensors of other types are converted to F32, over several chunks of a file") {
    const int64_t n = 32 * 40000, n_rows = 8; // 20 MB as F16: more than one piece
    const std::vector<float> values(size_t(n * n_rows), 0.25f);
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_Q8_0}) {
        std::vector<char> stored(ggml_row_size(type, n) * n_rows);
        ggml_quantize_chunk(type, values.data(), stored.data(), 0, n_rows, n, nullptr);
        gguf_writer writer;
        writer.add("t", type, {n, n_rows}, [&](const byte_sink & sink) { sink(stored.data(), stored.size()); });
        const std::string path = tiny::scratch("gguf-types.gguf");
        writer.write(path);
        gguf_reader file(path);
        const ggml_context_ptr ctx(ggml_init({ggml_tensor_overhead(), nullptr, true}));
        ggml_tensor * into = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, n, n_rows);
        const ggml_backend_buffer_ptr buffer(
            ggml_backend_alloc_ctx_tensors_from_buft(ctx.get(), ggml_backend_cpu_buffer_type()));
        file.read_into(*file.find("t"), into);
        const auto * read = static_cast<const float *>(into->data);
        for (int64_t i = 0; i < n * n_rows; i++) CHECK_NEAR(read[i], 0.25, 1e-3);
    }
}

TEST("gguf: metadata is copied, all or by prefix, and the writer aligns the data") {
    const std::string path = tiny::scratch("gguf-copy.gguf");
    {
        gguf_writer writer;
        writer.set("general.alignment", uint32_t(128));
        writer.set("tokenizer.one", "1");
        writer.set("other", "2");
        writer.write(path);
    }
    gguf_writer part;
    part.copy_metadata(gguf_reader(path), "tokenizer.");
    CHECK_EQ(gguf_get_n_kv(part.metadata()), int64_t(1));
    gguf_writer whole;
    whole.copy_metadata(gguf_reader(path));
    const std::vector<float> values = counted(5);
    whole.add("a", GGML_TYPE_F32, {5}, in_pieces(values, 5));
    whole.add("b", GGML_TYPE_F32, {5}, in_pieces(values, 1));
    whole.write(path);
    gguf_reader file(path);
    CHECK_EQ(file.text("other"), "2");
    std::vector<float> b;
    file.read(*file.find("b"), [&](const void * data, size_t bytes) {
        b.resize(bytes / sizeof(float));
        std::memcpy(b.data(), data, bytes);
    });
    CHECK(b == values);
}

TEST("gguf: a writer whose source fails or gives too few bytes leaves the old file") {
    const std::string path = tiny::scratch("gguf-kept.gguf");
    write_contents(path, "old");
    const std::vector<float> values = counted(4);
    gguf_writer failing;
    failing.add("a", GGML_TYPE_F32, {4}, [](const byte_sink &) { throw error("MINE", "no values"); });
    CHECK_ERROR("MINE", failing.write(path));
    gguf_writer short_of;
    short_of.add("a", GGML_TYPE_F32, {5}, in_pieces(values, 4));
    CHECK_ERROR("NATIVE_ERROR", short_of.write(path));
    CHECK_EQ(contents(path), "old");
    for (const auto & entry : fs::directory_iterator(fs::path(path).parent_path()))
        CHECK(entry.path().string().find("gguf-kept.gguf.tmp") == std::string::npos);
}

TEST("gguf: a file that is truncated anywhere is an error") {
    const std::string whole = contents(small_adapter()), path = tiny::scratch("gguf-cut.gguf");
    for (size_t size = 0; size < whole.size(); size += size < 600 ? 1 : 61) {
        write_contents(path, whole.substr(0, size));
        CHECK_ERROR("ADAPTER_INVALID", gguf_reader(path, adapter_file));
    }
    write_contents(path, whole.substr(0, 100));
    CHECK_ERROR("MODEL_TRUNCATED", gguf_reader{path});
    write_contents(path, "text");
    CHECK_ERROR("NOT_A_GGUF", gguf_reader{path});
    CHECK_ERROR("MODEL_UNREADABLE", gguf_reader{fs::path(path).parent_path().string()});
    CHECK_ERROR("MODEL_NOT_FOUND", gguf_reader{path + ".missing"});
}

TEST("gguf: any damaged byte of a header gives an error or a file that can be read") {
    const std::string whole = contents(small_adapter()), path = tiny::scratch("gguf-damaged.gguf");
    const size_t header = gguf_get_data_offset(gguf_reader(small_adapter()).metadata());
    size_t refused = 0, read = 0;
    for (size_t at = 4; at < header; at++) {
        for (const unsigned char value : {0x00, 0x01, 0x7f, 0xff}) {
            std::string damaged = whole;
            if (damaged[at] == char(value)) continue;
            damaged[at] = char(value);
            write_contents(path, damaged);
            try {
                adapter_header adapter(path);
                for (const gguf_tensor & tensor : adapter.file.tensors())
                    adapter.file.read(tensor, [](const void *, size_t) {});
                read++;
            } catch (const error & e) {
                CHECK_EQ(e.code(), "ADAPTER_INVALID"); // no other error, such as std::bad_alloc
                refused++;
            }
        }
    }
    CHECK(refused > 500 && read > 50);
}
