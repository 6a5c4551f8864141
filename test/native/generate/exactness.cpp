// Compares logits of quantized models with the same weights in F32: an accelerator must not lose more precision than
// ggml does without it.

#include "cpu/accelerator.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "relative-error.h"

#include "generate/context.h"
#include "model-tools/quantize.h"

#include <ggml-backend.h>
#include <llama.h>

#include <cmath>
#include <cstring>

using namespace llamatune;

namespace {

constexpr int32_t n_prompt = 96;

std::shared_ptr<model> loaded(const std::string & path, bool repack) {
    load_options o;
    o.path = path;
    o.repack = repack;
    return model::load(o);
}

// Returns the logits of the prompt's last token. The accelerator is used from 32 tokens per pass on.
std::vector<float> logits(const std::shared_ptr<model> & m, int32_t tokens_at_once) {
    static const std::atomic<bool> never{false};
    inference_context context(m, {256, tokens_at_once, 2}, nullptr, never);
    std::vector<int32_t> prompt;
    for (int32_t i = 0; i < n_prompt; i++) prompt.push_back(i * 37 % tiny::n_tokens);
    context.decode_all(prompt.data(), prompt.size());
    const float * values = llama_get_logits_ith(context.handle(), -1);
    return {values, values + tiny::n_tokens};
}

}

TEST("generate: a prompt's logits with an accelerator are as close to F32's as without") {
    if (!accelerator_device()) SKIP("no CPU accelerator");
    for (const char * type : {"Q8_0", "Q4_K_M"}) {
        create_options c = tiny::options("qwen3", tiny::scratch("exactness.gguf"));
        c.embedding_length = 256;
        c.head_length = 64;
        c.feed_forward_length = 512;
        c.layers = 4;
        c.init_std = 0.05f;
        c.type = type;
        create_model(c);
        const std::string wide = tiny::scratch("exactness-f32.gguf");
        quantize_model({c.path, wide, "F32", 1});
        const std::vector<float> exact = logits(loaded(wide, false), 16);
        for (const bool repack : {false, true}) {
            const auto m = loaded(c.path, repack);
            const double with = relative_error(logits(m, n_prompt), exact),
                         without = relative_error(logits(m, 16), exact);
            CHECK(without < 0.2);
            // If ggml repacks weights to a layout that the accelerator cannot read, ggml computes both results, which
            // then differ only by rounding.
            CHECK(with < 1.3 * without);
        }
    }
}
