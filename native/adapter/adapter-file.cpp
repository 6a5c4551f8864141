#include "adapter/adapter-file.h"

#include "adapter/fingerprint.h"
#include "core/atomic-file.h"
#include "core/error.h"
#include "core/ggml-ptr.h"
#include "core/log.h"
#include "gguf/gguf-file.h"
#include "model/weights.h"

#include "llama-model.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

namespace llamatune {

namespace {

constexpr const char * key_alpha = "adapter.lora.alpha";
constexpr const char * key_shapes = "llamatune.base.shapes";

const std::string suffix_a = ".lora_a";
const std::string suffix_b = ".lora_b";

[[noreturn]] void invalid(const std::string & path, const std::string & expected, const std::string & received) {
    throw error("ADAPTER_INVALID", "expected " + expected + " in adapter '" + path + "' but received " + received);
}

[[noreturn]] void mismatch(const std::string & path, const std::string & expected, const std::string & received) {
    throw error("ADAPTER_MISMATCH", "expected " + expected + " but received " + received + " in adapter '" + path + "'",
                "use the base model and the LoRA options that the adapter was trained with");
}

std::string shape_text(const int64_t * ne) {
    return "[" + std::to_string(ne[0]) + ", " + std::to_string(ne[1]) + ", " + std::to_string(ne[2]) + "]";
}

// The file's header, checked against the model before anything is allocated.
struct adapter_reader {
    std::string path;
    gguf_context_ptr gguf;
    float alpha = 0.0f;
    std::vector<adapter::slot> slots;

    adapter_reader(const std::string & path, const model & base)
        : path(path), gguf(open_gguf(path, adapter_error_codes)) {
        check_kind(base);
        read_alpha();
        read_slots(base);
        check_fingerprint(base);
    }

    void check_kind(const model & base) const {
        const std::string type = gguf_string(gguf.get(), "general.type");
        if (type != "adapter") { invalid(path, "general.type 'adapter'", "'" + type + "'"); }
        const std::string kind = gguf_string(gguf.get(), "adapter.type");
        if (kind != "lora") { invalid(path, "adapter.type 'lora'", "'" + kind + "'"); }
        const std::string architecture = gguf_string(gguf.get(), "general.architecture");
        if (architecture != base.handle()->arch_name()) {
            mismatch(path, "architecture '" + base.handle()->arch_name() + "'", "'" + architecture + "'");
        }
    }

    void read_alpha() {
        const int64_t id = gguf_find_key(gguf.get(), key_alpha);
        if (id < 0) {
            return; // a scale of 1, as llama.cpp has it
        }
        if (gguf_get_kv_type(gguf.get(), id) != GGUF_TYPE_FLOAT32) {
            invalid(path, std::string("a number of type f32 for ") + key_alpha,
                    gguf_type_name(gguf_get_kv_type(gguf.get(), id)));
        }
        alpha = gguf_get_val_f32(gguf.get(), id);
    }

    const int64_t * shape(const std::string & name) const {
        const int64_t id = gguf_find_tensor(gguf.get(), name.c_str());
        return id < 0 ? nullptr : gguf_get_tensor_ne(gguf.get(), id);
    }

    // In the order of a fresh adapter: by block and name.
    void read_slots(const model & base) {
        std::set<std::string> names;
        for (int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); i++) {
            const std::string tensor = gguf_get_tensor_name(gguf.get(), i);
            const std::string name = tensor.substr(0, tensor.size() - std::min(tensor.size(), suffix_a.size()));
            if (tensor != name + suffix_a && tensor != name + suffix_b) {
                invalid(path, "tensors named *" + suffix_a + " and *" + suffix_b, "'" + tensor + "'");
            }
            const ggml_type type = gguf_get_tensor_type(gguf.get(), i);
            if (type != GGML_TYPE_F32 && type != GGML_TYPE_F16 && type != GGML_TYPE_BF16) {
                invalid(path, "f32, f16 or bf16 for '" + tensor + "'", ggml_type_name(type));
            }
            names.insert(name);
        }
        if (names.empty()) { invalid(path, "LoRA tensors", "none"); }
        std::vector<lora_target> targets;
        for (ggml_tensor * weight : list_weights(base)) {
            if (names.count(weight->name) && can_be_target(weight)) {
                targets.push_back({weight->name, weight});
                names.erase(weight->name);
            }
        }
        if (!names.empty()) {
            const std::string & name = *names.begin();
            if (!find_weight(base, name)) {
                mismatch(path, "weights of the base model", "'" + name + "', which it does not have,");
            }
            invalid(path, "updates of matrices that take part in a product", "'" + name + "'");
        }
        sort_targets(targets);
        for (lora_target & target : targets) {
            slots.push_back({std::move(target), 0});
            read_rank(slots.back());
        }
    }

    void read_rank(adapter::slot & s) const {
        const std::string & name = s.target.name;
        const int64_t * a = shape(name + suffix_a);
        const int64_t * b = shape(name + suffix_b);
        if (!a || !b) { invalid(path, "'" + name + (a ? suffix_b : suffix_a) + "' beside its partner", "none"); }
        s.rank = a[1];
        const int64_t * w = s.target.weight->ne;
        const int64_t expected_a[3] = {w[0], s.rank, w[2]};
        const int64_t expected_b[3] = {s.rank, w[1], w[2]};
        if (std::memcmp(a, expected_a, sizeof(expected_a)) != 0 || a[3] != 1) {
            mismatch(path, "shape " + shape_text(expected_a) + " for '" + name + suffix_a + "'", shape_text(a));
        }
        if (std::memcmp(b, expected_b, sizeof(expected_b)) != 0 || b[3] != 1) {
            mismatch(path, "shape " + shape_text(expected_b) + " for '" + name + suffix_b + "'", shape_text(b));
        }
    }

    // Shapes that fit can still belong to another model of the same family.
    void check_fingerprint(const model & base) const {
        const std::string recorded = gguf_string(gguf.get(), key_shapes);
        if (recorded.empty()) { return; }
        const base_fingerprint own = fingerprint_of(base);
        const auto check = [&](const char * key, uint32_t value, const char * what) {
            const int64_t received = gguf_integer(gguf.get(), key, value);
            if (received != value) {
                mismatch(path, std::string(what) + " " + std::to_string(value), std::to_string(received));
            }
        };
        check("llamatune.base.embedding_length", own.embedding_length, "a base model with embedding length");
        check("llamatune.base.block_count", own.block_count, "a base model with block count");
        if (recorded != own.shapes) {
            mismatch(path, "a base model with tensor fingerprint " + own.shapes,
                     recorded + " ('" + gguf_string(gguf.get(), "llamatune.base.name", "unnamed") + "')");
        }
    }

    void read_values(const std::vector<lora_pair> & pairs) const {
        std::ifstream stream(std::filesystem::u8path(path), std::ios::binary);
        for (const lora_pair & pair : pairs) {
            read_tensor(stream, pair.a);
            read_tensor(stream, pair.b);
        }
    }

    void read_tensor(std::ifstream & stream, ggml_tensor * into) const {
        const int64_t id = gguf_find_tensor(gguf.get(), into->name);
        const ggml_type type = gguf_get_tensor_type(gguf.get(), id);
        const int64_t n = ggml_nelements(into);
        std::vector<char> raw(gguf_get_tensor_size(gguf.get(), id));
        stream.seekg((std::streamoff)(gguf_get_data_offset(gguf.get()) + gguf_get_tensor_offset(gguf.get(), id)));
        if (!stream.read(raw.data(), (std::streamsize)raw.size())) {
            invalid(path, "the values of '" + std::string(into->name) + "'", "the end of the file");
        }
        std::vector<float> values((size_t)n);
        if (type == GGML_TYPE_F32) {
            std::memcpy(values.data(), raw.data(), raw.size());
        } else {
            ggml_get_type_traits(type)->to_float(raw.data(), values.data(), n);
        }
        ggml_backend_tensor_set(into, values.data(), 0, values.size() * sizeof(float));
    }
};

}

void write_adapter(const std::string & path, const adapter & from, const adapter_metadata & metadata) {
    const base_fingerprint base = fingerprint_of(*from.base());
    const gguf_context_ptr gguf(gguf_init_empty());
    gguf_set_val_str(gguf.get(), "general.type", "adapter");
    gguf_set_val_str(gguf.get(), "general.architecture", base.architecture.c_str());
    gguf_set_val_str(gguf.get(), "adapter.type", "lora");
    gguf_set_val_f32(gguf.get(), key_alpha, from.alpha());
    for (const auto & [key, value] : metadata) {
        gguf_set_val_str(gguf.get(), ("llamatune." + key).c_str(), value.c_str());
    }
    gguf_set_val_u32(gguf.get(), "llamatune.lora.rank", (uint32_t)from.pairs().front().a->ne[1]);
    gguf_set_val_str(gguf.get(), "llamatune.base.name", base.name.c_str());
    gguf_set_val_u32(gguf.get(), "llamatune.base.embedding_length", base.embedding_length);
    gguf_set_val_u32(gguf.get(), "llamatune.base.block_count", base.block_count);
    gguf_set_val_str(gguf.get(), key_shapes, base.shapes.c_str());
    gguf_set_val_str(gguf.get(), "llamatune.base.types", base.types.c_str());
    for (const lora_pair & pair : from.pairs()) {
        gguf_add_tensor(gguf.get(), pair.a);
        gguf_add_tensor(gguf.get(), pair.b);
    }

    atomic_file file(path);
    take_recent_errors();
    if (!gguf_write_to_file_ptr(gguf.get(), file.handle(), /* only_meta */ false)) {
        throw error("OUTPUT_NOT_WRITABLE",
                    "expected to write the adapter to '" + path + "' but " + take_recent_errors(),
                    "check that the disk has room");
    }
    file.commit();
}

std::unique_ptr<adapter> read_adapter(const std::string & path, const std::shared_ptr<model> & base) {
    const adapter_reader reader(path, *base);
    std::unique_ptr<adapter> out = adapter::zeros(base, reader.slots, reader.alpha);
    reader.read_values(out->pairs());
    return out;
}

void read_adapter_into(const std::string & path, adapter & into) {
    const adapter_reader reader(path, *into.base());
    const std::vector<lora_pair> & pairs = into.pairs();
    for (size_t i = 0; i < pairs.size() || i < reader.slots.size(); i++) {
        if (i >= reader.slots.size()) { mismatch(path, "'" + pairs[i].name + "' too", std::to_string(i) + " weights"); }
        const adapter::slot & s = reader.slots[i];
        if (i >= pairs.size() || pairs[i].name != s.target.name) {
            mismatch(path, i < pairs.size() ? "'" + pairs[i].name + "'" : "no more weights", "'" + s.target.name + "'");
        }
        if (pairs[i].a->ne[1] != s.rank) {
            mismatch(path, "rank " + std::to_string(pairs[i].a->ne[1]) + " for '" + pairs[i].name + "'",
                     std::to_string(s.rank));
        }
    }
    if (into.alpha() != reader.alpha) {
        mismatch(path, "alpha " + std::to_string(into.alpha()), std::to_string(reader.alpha));
    }
    reader.read_values(pairs);
}

}
