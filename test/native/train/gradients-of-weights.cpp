// Tests gradients through quantized weights and of the weights themselves.

#include "harness.h"
#include "model-tools/quantize.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

// Rows have 256 elements, the minimum for K-quants.
create_options wide(const std::string & architecture, const std::string & file) {
    create_options o = tiny::options(architecture, tiny::scratch(file));
    o.embedding_length = 256;
    o.feed_forward_length = 512;
    o.head_length = 64;
    o.init_std = 0.03f;
    return o;
}

std::shared_ptr<model> load(const std::string & path, bool mapped = true) {
    load_options options;
    options.path = path;
    options.use_mmap = mapped;
    return model::load(options);
}

}

// The CPU rounds the activations of quantized products to 8 bits, so the loss is a step function of the parameters. So
// its slope is fitted to many points with a coarse tolerance, and the gradient is compared with that of the same
// weights in F32, from which it differs only by this rounding.
TEST("train/gradients: through quantized weights of every kind") {
    const create_options original = wide("llama", "wide-llama.gguf");
    create_model(original);
    for (const char * type :
         {"F16", "BF16", "Q8_0", "Q5_1", "Q4_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_NL", "IQ4_XS"}) {
        const std::string quantized = tiny::scratch("quantized.gguf"), restored = tiny::scratch("restored.gguf");
        quantize_model({original.path, quantized, type, 1});
        quantize_model({quantized, restored, "F32", 1});
        const auto m = load(quantized), same = load(restored);
        const micro_batch batch = tiny_batch(*m, 2, 12);
        training t(m, batch, {}), reference(same, batch, {});
        const double difference =
            tiny::relative_error(tiny::gradients_of(t, batch), tiny::gradients_of(reference, batch));
        if (!(difference < 6e-2)) {
            harness::fail(__FILE__, __LINE__,
                          std::string("the gradient of the restored weights, for ") + type +
                              ", but received a relative error of " + std::to_string(difference));
        }
        const std::string name = type;
        if (name == "Q8_0" || name == "Q4_K_M") tiny::expect_slopes(tiny::check_slopes(t, batch, 0.05, true));
    }
}

TEST("train/gradients: full-parameter training with tied and untied embeddings") {
    for (const char * architecture : {"llama", "qwen3"}) {
        for (const bool tied : {false, true}) {
            create_options o = tiny::options(architecture, tiny::scratch("full.gguf"));
            o.tie_embeddings = tied;
            create_model(o);
            const auto m = load(o.path, false);
            const micro_batch batch = tiny_batch(*m, 2, 12);
            training_options options;
            options.mode = train_mode::full;
            training t(m, batch, options);
            int norms = 0, outputs = 0, embeddings = 0;
            for (const parameter & p : t.parameters()) {
                norms += p.name.find("norm") != std::string::npos;
                outputs += p.name == "output.weight";
                embeddings += p.name == "token_embd.weight";
            }
            CHECK_EQ(norms, std::string(architecture) == "qwen3" ? 9 : 5);
            CHECK_EQ(outputs, tied ? 0 : 1);
            CHECK_EQ(embeddings, 1);
            tiny::expect_slopes(tiny::check_slopes(t, batch, 1e-3));
        }
    }
}

TEST("train/gradients: full-parameter gradients of a batch with repeated tokens, by both rule modes") {
    const create_options o = tiny::options("llama", tiny::scratch("repeats.gguf"));
    create_model(o);
    const auto m = load(o.path, false);
    micro_batch batch = tiny_batch(*m, 2, 12);
    for (size_t i = 0; i < batch.tokens.size(); i++) batch.tokens[i] %= 3; // embeddings gather from many positions
    training_options options;
    options.mode = train_mode::full;
    training t(m, batch, options);
    tiny::expect_slopes(tiny::check_slopes(t, batch, 1e-3));
    options.step.gradient.rules = rule_mode::composed;
    training composed(m, batch, options);
    CHECK(tiny::relative_error(tiny::gradients_of(composed, batch), tiny::gradients_of(t, batch)) < 1e-5);
}
