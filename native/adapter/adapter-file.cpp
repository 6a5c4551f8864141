#include "adapter/adapter-file.h"

#include "adapter/adapter-keys.h"
#include "adapter/compatibility.h"
#include "adapter/fingerprint.h"
#include "core/log.h"
#include "gguf/writer.h"
#include "model/weights.h"

#include <algorithm>

namespace llamatune {

namespace {

// Records rank and targets, so that other tools need not derive them from the shapes.
void record_pairs(gguf_writer & writer, const adapter & from) {
    std::vector<std::string> targets;
    std::vector<int32_t> ranks;
    for (const lora_pair & pair : from.pairs()) {
        targets.push_back(pair.name);
        ranks.push_back(int32_t(pair.b->ne[0]));
    }
    writer.set(adapter_keys::targets, targets);
    if (std::count(ranks.begin(), ranks.end(), ranks[0]) == int64_t(ranks.size()))
        writer.set(adapter_keys::rank, uint32_t(ranks[0]));
    else
        writer.set(adapter_keys::ranks, ranks);
}

void record_base(gguf_writer & writer, const base_fingerprint & base) {
    writer.set(adapter_keys::base_name, base.name);
    writer.set(adapter_keys::base_embedding_length, base.embedding_length);
    writer.set(adapter_keys::base_block_count, base.block_count);
    writer.set(adapter_keys::base_shapes, base.shapes);
}

}

void write_adapter(const std::string & path, const adapter & from, const adapter_metadata & metadata) {
    const base_fingerprint base = fingerprint_of(*from.base());
    gguf_writer writer;
    writer.set("general.type", "adapter");
    writer.set("general.architecture", base.architecture);
    writer.set("adapter.type", "lora");
    writer.set(adapter_keys::alpha, from.alpha());
    for (const auto & [key, value] : metadata) writer.set("llamatune." + key, value);
    if (from.rs_lora()) writer.set(adapter_keys::rs_lora, *from.rs_lora());
    record_pairs(writer, from);
    record_base(writer, base);
    for (const lora_pair & pair : from.pairs()) {
        writer.add(pair.a->name, pair.a);
        writer.add(pair.b->name, pair.b);
    }
    writer.write(path);
}

std::unique_ptr<adapter> load_adapter(adapter_header & file, const std::shared_ptr<model> & base) {
    std::vector<adapter::slot> slots;
    for (const stored_pair & pair : file.pairs)
        slots.push_back({{pair.name, find_weight(*base, pair.name)}, pair.rank()});
    std::unique_ptr<adapter> out = adapter::zeros(base, std::move(slots), file.alpha, file.rs_lora);
    for (const lora_pair & pair : out->pairs()) {
        file.file.read_into(*file.file.find(pair.a->name), pair.a);
        file.file.read_into(*file.file.find(pair.b->name), pair.b);
    }
    return out;
}

std::unique_ptr<adapter> read_adapter(const std::string & path, const std::shared_ptr<model> & base) {
    adapter_header file(path);
    check_compatible(file, *base);
    for (const std::string & name : file.other_tensors)
        write_log(log_level::warn, "'" + name + "' of the adapter '" + path + "' is ignored: it is not a LoRA pair");
    return load_adapter(file, base);
}

}
