#pragma once

// Small models with random weights for tests, generated on first use.

#include "model-tools/create.h"
#include "model/load.h"

#include <memory>
#include <string>

namespace tiny {

// A vocabulary of the 256 bytes, a few merges ("th", "the", " the", "he", "in", "an"), <|im_start|> and <|im_end|>
// (EOS).
llamatune::vocabulary_options byte_vocabulary();
constexpr int32_t n_tokens = 256 + 6 + 2;
constexpr int32_t im_start = 256 + 6;
constexpr int32_t im_end = im_start + 1;

// Two layers of 64 with the byte vocabulary, at `path`; qwen3moe: 8 experts of 32, of which a token uses 2.
llamatune::create_options options(const std::string & architecture, const std::string & path);

// Path of that model with these weights, in the cache; made anew in each run of the tests.
std::string path(const std::string & architecture, const std::string & type = "F32");
std::shared_ptr<llamatune::model> load(const std::string & architecture, const std::string & type = "F32",
                                       bool repack = false);

// A vocabulary of the vendored llama.cpp, e.g. "qwen2"; skips the test without it.
std::string vendored_vocabulary(const std::string & name);

// A fresh path in the cache folder.
std::string scratch(const std::string & file);

}
